"""How long each stage of the check took, and what it may take.

``python -m bookbuild.budget run STAGE -- PROGRAM ARGUMENT...`` times a program
and ends as it does; ``python -m bookbuild.budget`` prints the table.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Seconds on a fast machine when all parts of the book stand: 45 minutes.
BUDGETS = {
    "install": 300,
    "chapters": 720,
    "notebooks": 30,
    "html": 210,
    "pdf": 180,
    "lint": 20,
    "types": 120,
    "imports": 20,
    "tests": 800,
    "coverage": 20,
    "nbval": 280,
}
FOLDER = Path("_build") / "seconds"


def record(stage: str, seconds: float, folder: Path = FOLDER) -> None:
    """Write what a stage took, over what it took before.

    Args:
        stage: one of :data:`BUDGETS`.
        seconds: of the clock on the wall.
        folder: where; made if absent.

    Raises:
        ValueError: there is no such stage.
    """
    if stage not in BUDGETS:
        known = ", ".join(BUDGETS)
        raise ValueError(f"no stage {stage!r}; there are: {known}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / stage).write_text(f"{seconds:.3f}\n", "utf8")


def recorded(folder: Path = FOLDER) -> dict[str, float]:
    """Return the seconds of each stage that has run, in order.

    Args:
        folder: where :func:`record` wrote.
    """
    return {
        stage: float((folder / stage).read_text("utf8"))
        for stage in BUDGETS
        if (folder / stage).is_file()
    }


def report(took: Mapping[str, float]) -> str:
    """Lay out stage, seconds and share of the budget; name what is over.

    Stages that run side by side each count in full.

    Args:
        took: seconds of each stage.
    """
    rows = [("stage", "seconds", "budget")]
    rows += [
        (stage, f"{seconds:.0f}", f"{seconds / BUDGETS[stage]:.0%}")
        for stage, seconds in took.items()
    ]
    total, budget = sum(took.values()), sum(BUDGETS.values())
    rows.append(("total", f"{total:.0f}", f"{total / budget:.0%}"))
    lines = [f"{a:10}{b:>8}{c:>8}" for a, b, c in rows]
    over = [stage for stage in took if took[stage] > BUDGETS[stage]]
    if over:
        lines.append(f"over budget: {', '.join(over)}")
    return "\n".join(lines)


def timed(stage: str, command: Sequence[str]) -> int:
    """Run a program and record its time where it succeeds.

    Args:
        stage: one of :data:`BUDGETS`.
        command: program and arguments.

    Returns:
        The program's exit status.
    """
    started = time.perf_counter()
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        record(stage, time.perf_counter() - started)
    return status


def main(arguments: Sequence[str]) -> int:
    """Time a program, or print the table.

    Args:
        arguments: what follows the program's name.
    """
    if len(arguments) > 3 and (arguments[0], arguments[2]) == ("run", "--"):
        return timed(arguments[1], arguments[3:])
    if arguments:
        usage = "python -m bookbuild.budget [run STAGE -- PROGRAM ...]"
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    print(f"\n{report(recorded())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
