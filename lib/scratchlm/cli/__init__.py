"""The command line: ``python -m scratchlm``.

Each command reads files, folders or the standard input, writes one file or
the standard output, and shows its progress on the standard error. What a
command needs is imported when it runs, so that ``--help`` answers at once.
"""
