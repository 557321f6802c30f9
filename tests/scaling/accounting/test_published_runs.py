"""All runs together: enough, sourced, and met."""

from pathlib import Path

import pytest
from pybtex.database import parse_file

from scratchlm.scaling.accounting import (
    CHIPS,
    agreement,
    published_runs,
)

RUNS = published_runs()
ROOT = Path(__file__).parents[3]


def test_every_run_names_its_source():
    """A number that nobody can look up."""
    entries = parse_file(str(ROOT / "book/references.bib")).entries
    assert {run.source for run in RUNS} <= set(entries)
    assert all(run.table for run in RUNS)


def test_runs_are_many_and_no_two_are_one():
    """A table that was pasted twice."""
    assert sum(run.seconds is not None for run in RUNS) >= 80
    assert sum(run.memory is not None for run in RUNS) >= 12
    keys = {(r.source, r.table, r.job, r.seconds, r.memory) for r in RUNS}
    assert len(keys) == len(RUNS)


def test_every_job_comes_out_even():
    """A published mesh that the planner refuses."""
    for run in RUNS:
        assert run.planned().seconds > 0


@pytest.mark.parametrize("chip", ["a100", "h100", "h100-500w"])
def test_the_rates_of_a_chip_are_in_the_middle_of_its_runs(chip):
    """A kernel rate that was fitted to a favourite row."""
    errors = [r.time_error() for r in RUNS if r.seconds and r.chip == chip]
    assert abs(agreement(errors).median) < 0.03
    assert CHIPS[chip].kernel_rate < 0.75


def test_six_of_seven_are_within_a_tenth():
    """What the page says of all runs."""
    met = agreement(r.time_error() for r in RUNS if r.seconds)
    assert met.within >= 76
    assert met.n == 87
    held = agreement(r.memory_error() for r in RUNS if r.memory)
    assert held.within >= 10


def test_a_tenth_too_little_counts_as_a_tenth():
    """Errors without their sign in the median, or with it in the count."""
    some = agreement([-0.5, -0.05, 0.02, 0.09, 0.3])
    assert (some.n, some.within, some.median) == (5, 3, 0.02)
    with pytest.raises(ValueError, match="no error"):
        agreement([])
