"""Ranks that live, that died, and that are done."""

import multiprocessing
import os
import signal
import time

import pytest

from scratchlm.scaling.launching.heartbeat import (
    Heartbeat,
    beat_file,
    pulses,
)

PERIOD = 0.05


@pytest.fixture
def forked():
    """Call it with a function: a process that runs it, killed at the end."""
    started = []

    def start(function):
        process = multiprocessing.get_context("fork").Process(target=function)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def until(true):
    limit = time.monotonic() + 20
    while not true() and time.monotonic() < limit:
        time.sleep(0.01)
    assert true()


def test_a_dead_rank_is_told_from_one_that_hangs(tmp_path, forked):
    """The age of a file alone: a rank in a long step is taken for dead, and
    a dead one for slow."""

    def hang():
        with Heartbeat(tmp_path, 1, period=PERIOD) as beat:
            beat.step = 12
            time.sleep(600)

    process = forked(hang)
    with Heartbeat(tmp_path, 0, period=PERIOD) as beat:
        beat.step = 12
        until(beat_file(tmp_path, 1).exists)
        until(lambda: pulses(tmp_path, 2, seconds=0.3)[1].step == 12)
        assert [p.state for p in pulses(tmp_path, 3, seconds=0.5)] == [
            "alive",
            "alive",
            "unknown",
        ]
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        _, dead, unknown = pulses(tmp_path, 3, seconds=0.5)
    assert (dead.state, dead.step, dead.pid) == ("dead", 12, process.pid)
    assert f"rank 1 (process {process.pid} on " in str(dead)
    assert "is dead, in step 12" in str(dead)
    assert str(unknown) == "rank 2 has never begun"


def test_a_rank_that_is_done_is_not_dead(tmp_path):
    """The last rank to end reports all the others."""
    with Heartbeat(tmp_path, 0, period=PERIOD) as beat:
        beat.step = 3
    (done,) = pulses(tmp_path, 1, seconds=0.0)
    assert (done.state, done.step) == ("ended", 3)


def test_a_rank_that_failed_says_so(tmp_path):
    """A rank that raises, and says with its last beat that all is well; or
    one that was killed and one that told its error taken for the same."""
    with pytest.raises(KeyError), Heartbeat(tmp_path, 0, period=PERIOD):
        raise KeyError
    assert pulses(tmp_path, 1, seconds=0.0)[0].state == "failed"


def test_beats_of_a_run_before_are_not_this_one_s(tmp_path):
    """A file of yesterday, which says that the rank ended well."""
    with Heartbeat(tmp_path, 0, period=PERIOD):
        pass
    with Heartbeat(tmp_path, 0, period=600.0):
        assert pulses(tmp_path, 1, seconds=0.0)[0].state == "dead"
