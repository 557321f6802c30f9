"""Which command, and what its end means."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import tyro

from scratchlm.cli.clean import Clean
from scratchlm.cli.corpus import Corpus
from scratchlm.cli.dedup import Dedup
from scratchlm.cli.options import say
from scratchlm.cli.tokenize import Tokenize

USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 + SIGPIPE

COMMANDS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"corpus": Corpus, "clean": Clean, "dedup": Dedup, "tokenize": Tokenize}
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``python -m scratchlm``; those of this
            process by default.

    Returns:
        The exit code: 0 done, 2 a mistake in what was asked or given, 130
        interrupted, 141 the reader of the output has gone.
    """
    message, code = _run(arguments)
    if message:  # printed here, where no progress bar is open any more
        say(f"scratchlm: {' '.join(message.split())}")
    return code


def _run(arguments: Sequence[str] | None) -> tuple[str, int]:
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            dict(COMMANDS),
            prog="scratchlm",
            description="Text for language models: make it, clean it, "
            "deduplicate it, tokenize it.",
            args=arguments,
        )
        command.run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return "interrupted", INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return "", PIPE_CLOSED
    except OSError as error:
        _drop_output()
        reason = error.strerror or str(error)
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{reason}", USER_ERROR
    except ValueError as error:
        return str(error), USER_ERROR
    return "", 0


def _drop_output() -> None:
    """Python would fail once more when it flushes at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
