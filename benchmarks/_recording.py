"""Where the pages find what a grid has measured."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch

from scratchlm.book.results import Result, record
from scratchlm.foundation.machine import commit, processor


def keep(name: str, found: Mapping[str, float], unit: str) -> Path:
    """Record the figures of the running script under ``book/results``."""
    script = f"benchmarks/{Path(sys.argv[0]).name}"
    measured = Result(
        value=found,
        unit=unit,
        device=f"one thread of {processor()}, torch {torch.__version__}",
        command=" ".join(["python", script, *sys.argv[1:]]),
        commit=commit(Path(__file__).parent),
        date=datetime.now(UTC).date().isoformat(),
    )
    return record(name, measured)
