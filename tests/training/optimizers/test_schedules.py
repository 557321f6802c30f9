"""Schedules at their corners."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.training.optimizers import Constant, Cosine, WarmupStableDecay


def test_the_first_step_teaches():
    """A warm-up that starts at 0 wastes the first batch."""
    assert Constant(warmup=4)(0) == pytest.approx(0.2)
    assert Constant()(0) == 1.0
    assert Cosine(warmup=10, n_steps=100)(0) > 0
    assert WarmupStableDecay(warmup=10, n_steps=100, decay=5)(0) > 0


def test_the_first_step_after_the_warm_up_has_the_peak():
    """An off-by-one that never reaches it."""
    for schedule in (
        Constant(warmup=10),
        Cosine(warmup=10, n_steps=100),
        WarmupStableDecay(warmup=10, n_steps=100, decay=20),
    ):
        assert schedule(9) < 1.0
        assert schedule(10) == 1.0


def test_the_last_step_has_the_floor():
    """A decay that ends one step after the run."""
    assert Cosine(warmup=10, n_steps=100)(99) == pytest.approx(0.1)
    assert Cosine(n_steps=2, floor=0.0)(1) == 0.0
    assert WarmupStableDecay(n_steps=100, decay=20)(99) == 0.0
    wsd = WarmupStableDecay(n_steps=100, decay=20, floor=0.2)
    assert wsd(99) == pytest.approx(0.2)
    assert wsd(79) == 1.0
    assert wsd(80) < 1.0


def test_beyond_the_end_the_floor_stays():
    """A cosine that climbs again when a run is prolonged."""
    cosine = Cosine(warmup=10, n_steps=100)
    assert cosine(150) == cosine(99) == cosine(10_000)
    wsd = WarmupStableDecay(n_steps=100, decay=20, floor=0.2)
    assert wsd(500) == pytest.approx(0.2)


def test_halfway_a_cosine_is_in_the_middle():
    """Radians and degrees, or half a period too many."""
    cosine = Cosine(n_steps=101, floor=0.0)
    assert cosine(50) == pytest.approx(0.5)


@given(st.integers(2, 40), st.integers(0, 38), st.floats(0, 1))
def test_up_then_down(n_steps, warmup, floor):
    """A dip or a jump where two pieces meet."""
    warmup = min(warmup, n_steps - 2)
    decay = max(1, (n_steps - warmup) // 2)
    for schedule in (
        Cosine(warmup=warmup, n_steps=n_steps, floor=floor),
        WarmupStableDecay(
            warmup=warmup, n_steps=n_steps, floor=floor, decay=decay
        ),
    ):
        values = [schedule(step) for step in range(n_steps)]
        assert all(0 <= v <= 1 for v in values)
        assert all(a < b for a, b in pairwise(values[: warmup + 1]))
        after = values[warmup:]
        assert all(a >= b - 1e-12 for a, b in pairwise(after))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Constant(warmup=-1), "-1 steps"),
        (lambda: Cosine(warmup=10, n_steps=10), "no room for a warm-up"),
        (lambda: Cosine(n_steps=10, floor=1.5), "floor is 1.5"),
        (lambda: WarmupStableDecay(n_steps=10, decay=10), "does not fit"),
        (lambda: WarmupStableDecay(n_steps=10, decay=0), "does not fit"),
    ],
)
def test_impossible_schedules(make, what):
    """A decay of no steps divides by zero in the last one."""
    with pytest.raises(ValueError, match=what):
        make()
