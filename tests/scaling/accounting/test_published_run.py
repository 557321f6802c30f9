"""A row of a table, and how far the planner is from it."""

import pytest

from scratchlm.scaling.accounting import Job, Mesh, Run, named
from scratchlm.scaling.accounting.published_run import seconds_at

ROW = Run(
    source="x",
    table="table 1",
    chip="h100",
    job=Job(
        model=named("llama3-8b"), mesh=Mesh(dp=8), n_rows=8, n_tokens=8192
    ),
)


def test_an_error_is_positive_where_the_planner_says_more():
    """A sign that turns with the order of the numbers."""
    planned = ROW.planned()
    slow = Run(**{**vars(ROW), "seconds": planned.seconds / 2})
    assert slow.time_error() == pytest.approx(1.0)
    full = Run(**{**vars(ROW), "memory": 2 * planned.memory.total})
    assert full.memory_error() == pytest.approx(-0.5)
    assert ROW.n_chips == 8


def test_what_was_not_published_has_no_error():
    """An error against zero."""
    with pytest.raises(ValueError, match="table 1 of x has no times"):
        ROW.time_error()
    with pytest.raises(ValueError, match="has no memory"):
        ROW.memory_error()


def test_operations_a_second_become_seconds():
    """TFLOP/s of all chips taken for those of one."""
    assert seconds_at(8e15, 8, 500) == pytest.approx(2.0)
