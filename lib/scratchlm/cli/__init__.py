"""The command line: ``python -m scratchlm``. Chapter: book/text/corpora.md.

Each command reads files, folders or the standard input, writes one file or
the standard output, and shows its progress on the standard error. What a
command needs is imported when it runs, so that ``--help`` answers at once.
"""
