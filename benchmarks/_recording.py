"""Where the pages find what a grid has measured."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch

from scratchlm.book.results import Result, record


def keep(name: str, found: Mapping[str, float], unit: str) -> Path:
    """Record the figures of the running script under ``book/results``."""
    head = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True)
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    measured = Result(
        value=found,
        unit=unit,
        device=f"one thread of {processor()}, torch {torch.__version__}",
        command=" ".join(["python", script, *sys.argv[1:]]),
        commit=commit.stdout.strip(),
        date=datetime.now(UTC).date().isoformat(),
    )
    return record(name, measured)


def processor() -> str:
    """Name the processor; its architecture where the system hides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line for line in lines if line.startswith("model name")]
    return names[0].partition(": ")[2] if names else platform.machine()
