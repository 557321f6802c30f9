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
from scratchlm.cli.generate import Generate
from scratchlm.cli.launch import Launch
from scratchlm.cli.options import say
from scratchlm.cli.plan import Plan
from scratchlm.cli.plot import Plot
from scratchlm.cli.tokenize import Tokenize
from scratchlm.cli.train import Recipes, Resume, Train, recipe_command

USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 + SIGPIPE

COMMANDS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "corpus": Corpus,
        "clean": Clean,
        "dedup": Dedup,
        "tokenize": Tokenize,
        "recipes": Recipes,
        "train": Train,
        "resume": Resume,
        "plot": Plot,
        "generate": Generate,
        "plan": Plan,
        "launch": Launch,
    }
)
# These have a recipe behind them, which has options of its own.
_BY_RECIPE: Mapping[str, type[Any]] = MappingProxyType(
    {"train": Train, "launch": Launch}
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``python -m scratchlm``; those of this
            process by default.

    Returns:
        The exit code: 0 done, 2 a mistake in what was asked or given, 128
        and the number of the signal if one ended it, 141 the reader of the
        output has gone.
    """
    message, code = _run(arguments)
    if message:  # printed here, where no progress bar is open any more
        say(f"scratchlm: {' '.join(message.split())}")
    return code


def _run(arguments: Sequence[str] | None) -> tuple[str, int]:
    try:
        words = sys.argv[1:] if arguments is None else [*arguments]
        _command(words).run()
        sys.stdout.flush()
    except KeyboardInterrupt as stopped:
        code = 128 + getattr(stopped, "number", INTERRUPTED - 128)
        return str(stopped) or "interrupted", code
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


def _command(words: list[str]) -> Any:
    """Return what the words ask for; a recipe has options of its own."""
    base = _BY_RECIPE.get(words[0]) if words[1:] else None
    if base is not None and words[1][:1] != "-":
        return tyro.cli(
            recipe_command(base, words[1]),
            prog=f"scratchlm {words[0]} {words[1]}",
            args=words[2:],
        )
    return tyro.extras.subcommand_cli_from_dict(
        dict(COMMANDS),
        prog="scratchlm",
        description="Text for language models: make it, clean it, "
        "deduplicate it, tokenize it. And models: plan them, train them on "
        "it, on one process or on many, and let them write.",
        args=words,
    )


def _drop_output() -> None:
    """Python would fail once more when it flushes at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
