"""Ranks on one machine: results, failures, hangs, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import distributed as dist

from scratchlm.scaling.collectives import local
from scratchlm.scaling.collectives.local import (
    RankError,
    Ranks,
    RankTimeout,
    run,
)


def gone(pid):
    """Whether a process has ended; one that nobody has waited for has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except FileNotFoundError:
        return True
    return state.split()[0] in "ZX"


def wait_until(true, seconds=20):
    limit = time.monotonic() + seconds
    while not true() and time.monotonic() < limit:
        time.sleep(0.02)
    assert true()


def pid_of(group):
    return os.getpid()


def test_each_rank_s_result_stands_at_its_place(ranks):
    """Results in the order in which ranks finish: rank 0 is the last."""

    def late(group, step):
        time.sleep(0.05 * (group.size() - group.rank()))
        return group.rank() * step

    assert ranks(4)(late, 10) == [0, 10, 20, 30]


def test_the_ranks_are_one_group(ranks):
    """W groups of one, in which every collective is the identity."""

    def total(group):
        x = torch.full((3,), 2.0 ** group.rank())
        dist.all_reduce(x, group=group)
        return x

    for x in ranks(4)(total):
        assert x.tolist() == [15.0] * 3


def test_a_closure_and_its_tensors_travel(ranks):
    """Plain pickle takes neither a lambda nor a function of a notebook."""
    shift = torch.arange(3)
    got = ranks(2)(lambda group, x: (x + shift) * group.rank(), shift)
    assert [x.tolist() for x in got] == [[0, 0, 0], [0, 2, 4]]


def test_one_thread_unless_more_are_asked_for():
    """Every rank on all cores: slower than one process."""

    def threads(group):
        return torch.get_num_threads()

    assert run(threads, 2) == [1, 1]
    assert run(threads, 1, threads=2) == [2]


def test_what_ranks_print_comes_in_their_order(ranks, capsys):
    """Lines of several processes mixed, another way on each run; or none at
    all in a notebook, where they go to the terminal of the server."""

    def speak(group):
        time.sleep(0.05 * (group.size() - group.rank()))
        print(f"one\n{group.rank()}")

    ranks(2)(speak)
    assert capsys.readouterr().out == (
        "rank 0: one\nrank 0: 0\nrank 1: one\nrank 1: 1\n"
    )


def test_the_first_rank_that_fails_is_the_one_that_is_shown():
    """The reader sees "connection closed by peer" of a rank that did nothing
    wrong, and the others wait for ever."""

    def fail(group):
        if group.rank() == 2:
            raise KeyError("the cause")
        dist.barrier(group)

    with Ranks(4) as ranks:
        pids = ranks(pid_of)
        began = time.monotonic()
        with pytest.raises(RankError) as failure:
            ranks(fail)
    assert time.monotonic() - began < 10
    assert failure.value.rank == 2
    told = str(failure.value)
    assert "rank 2 of 4 failed first" in told
    assert "KeyError: 'the cause'" in told
    assert 'raise KeyError("the cause")' in told  # the line of source
    assert "in tell" not in told
    wait_until(lambda: all(map(gone, pids)))


def test_of_two_that_fail_the_earlier_is_shown():
    """The lowest rank, though its failure followed from the other's."""

    def fail(group):
        if group.rank() == 0:
            time.sleep(0.2)
        raise ValueError(f"of rank {group.rank()}")

    with pytest.raises(RankError, match="of rank 1"):
        run(fail, 2)


@pytest.mark.parametrize("how", ["killed", "exits"])
def test_a_rank_that_dies_is_named(how):
    """A rank that the system killed for its memory says nothing itself; the
    others' complaints about their connections come instead."""

    def die(group, how):
        if group.rank() == 1:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(7)
        dist.barrier(group)

    with pytest.raises(RankError) as failure:
        run(die, 3, how)
    assert failure.value.rank == 1
    cause = {"killed": "killed by SIGKILL", "exits": "exit code 7"}[how]
    assert cause in str(failure.value)


def test_a_hang_says_where_each_rank_stands():
    """Two ranks that each wait for the other: a program that prints nothing,
    and a reader who has no debugger for two processes."""

    def cross(group):
        x = torch.zeros(1)
        dist.recv(x, 1 - group.rank(), group=group)  # nobody sends

    with pytest.raises(RankTimeout) as hang:
        run(cross, 2, timeout=1.5)
    assert sorted(hang.value.stacks) == [0, 1]
    for stack in hang.value.stacks.values():
        assert "in cross" in stack
        assert "# nobody sends" in stack
        assert "serve" not in stack


def test_ranks_that_failed_say_that_they_have_ended():
    """The next call writes into a closed pipe."""
    ranks = Ranks(2)
    with pytest.raises(RankError):
        ranks(lambda group: 1 / 0)
    assert ranks.ended
    with pytest.raises(ValueError, match="2 ranks have ended; start new"):
        ranks(pid_of)
    ranks.close()


def test_a_result_that_cannot_travel_is_a_failure_of_its_rank():
    """The caller waits for ever for a result that was never sent."""
    with pytest.raises(RankError, match="pickle"):
        run(lambda group: (x for x in range(3)), 2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"world_size": 0}, "world_size is 0"),
        ({"world_size": 2, "threads": 0}, "threads is 0"),
        ({"world_size": 2, "timeout": 0.0}, "timeout is 0.0"),
        ({"world_size": 2, "timeout": float("nan")}, "timeout is nan"),
    ],
)
def test_impossible_ranks_are_refused(arguments, told):
    """No ranks at all, and an empty list of results."""
    with pytest.raises(ValueError, match=told):
        Ranks(**arguments)


SCRIPT = """
    import os, signal, time
    from scratchlm.scaling.collectives.local import Ranks

    def present(group):
        return os.getpid()

    def wait(group):
        time.sleep(600)

    if __name__ == "__main__":
        # Whoever started the tests in the background has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ranks = Ranks(2)
        print(*ranks(present), flush=True)
        ranks(wait)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL", "SIGTERM"])
def test_nothing_stays_when_the_caller_ends(name, tmp_path):
    """Ranks that nobody can reach hold memory and cores until a restart: the
    caller is interrupted, terminated, or killed without a last word."""
    script = tmp_path / "train.py"
    script.write_text(dedent(SCRIPT))
    caller = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = [int(pid) for pid in caller.stdout.readline().split()]
    assert len(pids) == 2
    assert not any(map(gone, pids))
    caller.send_signal(getattr(signal, name))
    caller.communicate(timeout=30)
    wait_until(lambda: all(map(gone, pids)))


def test_a_script_without_its_guard_says_what_is_missing(tmp_path):
    """Each rank runs the script from its top and starts ranks of its own."""
    script = tmp_path / "train.py"
    script.write_text(
        "from scratchlm.scaling.collectives.local import run\n"
        "print(run(lambda group: group.rank(), 2))\n"
    )
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert 'below `if __name__ == "__main__":`' in done.stderr


def test_ranks_without_work_end_by_themselves():
    """Ranks that are killed whatever they do leave nothing that they would
    have written at their end, such as a profile of what they ran."""
    with Ranks(2) as ranks:
        pids = ranks(pid_of)
        processes = list(ranks._processes)
    assert [process.exitcode for process in processes] == [0, 0]
    assert all(map(gone, pids))
    ranks.close()  # once more does no harm


def test_a_start_that_takes_longer_than_a_call_may(monkeypatch):
    """A page that shows a hang after half a second, on a machine on which
    ranks take a second to start, shows a hang of the start."""

    def late(group):
        time.sleep(1.0)
        return group.rank()

    monkeypatch.setattr(local, "_present", late)
    with Ranks(2, timeout=0.5) as ranks:
        assert len(ranks(pid_of)) == 2
