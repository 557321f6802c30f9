"""Ranks that hang, and what is said of it."""

import sys
import threading
import time
from pathlib import Path

import cloudpickle
import pytest
import torch
from torch import distributed as dist

from scratchlm.scaling.collectives.local import RankError, Ranks
from scratchlm.scaling.launching import watchdog
from scratchlm.scaling.launching.watchdog import HUNG, Watchdog, read_hang


def wait_for_the_slow(group, folder, slow):
    with Watchdog(folder, group.rank(), group.size(), seconds=1.0) as dog:
        for _ in range(3):
            dist.all_reduce(torch.ones(2), group=group)
            dog.moved()
        if group.rank() == slow:
            time.sleep(600)
        dist.all_reduce(torch.ones(2), group=group)


def call_what_others_do_not(group, folder):
    with Watchdog(folder, group.rank(), group.size(), seconds=1.0):
        if group.rank() == 1:
            dist.recv(torch.ones(2), 0, group=group)
        work = dist.all_reduce(torch.ones(2), group=group, async_op=True)
        work.wait()


@pytest.fixture
def hung():
    """Call it with a function for three ranks: how the first of them ended,
    which the others do not outlive."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield _error_of
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def _error_of(*work):
    with Ranks(3, timeout=60.0) as ranks, pytest.raises(RankError) as error:
        ranks(*work)
    return str(error.value)


def test_the_rank_that_does_not_come_is_named(tmp_path, hung):
    """A job that hangs until its time is over, and says nothing."""
    told = hung(wait_for_the_slow, tmp_path, 1)
    assert f"ended with exit code {HUNG}" in told
    hang = read_hang(tmp_path, 3)
    assert hang.missing == [1]
    assert "waiting: ranks 0, 2 in all_reduce, called in wait_for" in str(hang)
    assert "rank 1 does not wait; it stands in\n" in str(hang)
    assert "time.sleep(600)" in hang.stacks[1]


def test_ranks_that_call_different_collectives_are_told_apart(tmp_path, hung):
    """All of them wait, so that none seems to be missing."""
    hung(call_what_others_do_not, tmp_path)
    hang = read_hang(tmp_path, 3)
    assert hang.missing == []
    told = str(hang)
    assert told.startswith("all ranks wait, and not for the same: ")
    assert "ranks 0, 2 in wait, called in call_what_others_do_not" in told
    assert "rank 1 in recv, called in call_what_others_do_not" in told


def test_a_rank_without_a_stack_is_dead(tmp_path):
    """A rank that left nothing counted among those who wait."""
    told = str(read_hang(tmp_path / "none", 2))
    assert "rank 0 has written nothing; it is dead" in told
    file = Path(dist.distributed_c10d.__file__)
    frames = (
        f'  File "{file}", line 1 in barrier\n  File "/x.py", line 2 in main'
    )
    for rank in range(2):
        (tmp_path / f"stack-{rank}").write_text(
            f"Thread 0x1 (most recent call first):\n  File "
            f'"/y.py", line 5 in other\n\nThread 0x2:\n{frames}\n'
        )
    assert str(read_hang(tmp_path, 2)) == (
        "all ranks wait in one call, whose messages are lost: ranks 0, 1 in "
        "barrier, called in main (/x.py:2)"
    )


def test_who_moves_is_left_alone(tmp_path, monkeypatch, capsys):
    """A limit for the run in place of one for a step."""
    monkeypatch.setattr(watchdog, "GRACE", 0.1)
    ended = threading.Event()
    with Watchdog(
        tmp_path, 0, 1, seconds=0.8, end=lambda code: ended.set()
    ) as dog:
        for _ in range(6):
            time.sleep(0.2)
            dog.moved()
        assert not ended.is_set()
        watchdog.faulthandler.cancel_dump_traceback_later()  # it would end us
        assert ended.wait(20.0)
    said = capsys.readouterr().err
    assert "rank 0 of 1 has not ended a step for 0.8 seconds" in said
    assert "rank 0 does not wait; it stands in" in said


def test_a_limit_of_nothing_is_refused(tmp_path):
    """It would end every run."""
    with pytest.raises(ValueError, match="seconds is 0"):
        Watchdog(tmp_path, 0, 1, seconds=0.0)
