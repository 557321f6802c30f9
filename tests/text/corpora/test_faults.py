"""Faults are raised, or counted and listed."""

import pytest

from scratchlm.text.corpora.faults import (
    FileError,
    RecordError,
    Skipped,
    raise_fault,
)


def test_a_fault_says_where_and_why_and_what_to_do():
    """'Expecting value', and nine hundred files."""
    fault = RecordError("line 7 of a.jsonl", "is not JSON", "mend it")
    with pytest.raises(ValueError, match=r"line 7 .* is not JSON; mend it"):
        raise_fault(fault)


def test_faults_are_counted_and_the_first_are_listed():
    """A list that fills the memory, or one that hides how many there were."""
    skipped = Skipped(examples=2)
    assert skipped.lines() == []
    for number in range(1000):
        skipped(RecordError(f"line {number}", "is bad", "mend it"))
    skipped(FileError("a.gz", "was cut short", "fetch it again"))
    assert skipped.lines() == [
        "1,000 records skipped, and the rest of 1 file",
        "  line 0 is bad",
        "  line 1 is bad",
        "  and 999 more",
    ]
    skipped.begin()
    assert skipped.lines() == []
    with pytest.raises(ValueError, match="examples is -1"):
        Skipped(examples=-1)
