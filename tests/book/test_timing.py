import gc
import time

import pytest

from scratchlm.book import timing
from scratchlm.book.timing import cpu_seconds


def test_calls_take_turns():
    """Timed one after the other, a slow spell of the machine fell on one
    side of a ratio, and a page did not build."""
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    assert list(cpu_seconds(calls, rounds=3)) == ["a", "b"]
    assert order == ["a", "b"] * 3


def test_each_call_gets_its_own_least(monkeypatch):
    """The mean takes in what other programs did; the least of all calls
    would be the same for each."""
    clock = [0.0]
    spans = {"a": iter([3.0, 1.0, 2.0]), "b": iter([5.0, 9.0, 4.0])}

    def work(name):
        clock[0] += next(spans[name])

    monkeypatch.setattr(timing, "process_time", lambda: clock[0])
    calls = {"a": lambda: work("a"), "b": lambda: work("b")}
    assert cpu_seconds(calls, rounds=3) == {"a": 1.0, "b": 4.0}


def test_sleep_costs_nothing():
    """By the clock on the wall, whoever shared the cores was counted."""
    assert cpu_seconds({"sleep": lambda: time.sleep(0.2)}, 1)["sleep"] < 0.1


def test_garbage_is_collected_as_in_use():
    """timeit turns the collector off, and datasketch, which makes an object
    of each shingle, looked a quarter faster than its users find it."""
    seen = []
    cpu_seconds({"look": lambda: seen.append(gc.isenabled())}, rounds=1)
    assert seen == [True]


def test_no_rounds_are_refused():
    """The least of nothing was an error about an empty sequence."""
    with pytest.raises(ValueError, match="rounds is 0; take at least one"):
        cpu_seconds({"nothing": lambda: None}, rounds=0)
