"""The alpha-beta model, and its fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.scaling.collectives.cost import Link, fit_link

LINK = Link(alpha=1e-5, beta=1e-9)


def test_what_collectives_cost_by_hand():
    """Two trees counted as one, or a ring's rounds with whole tensors."""
    link = Link(alpha=1.0, beta=2.0)
    assert link.message(3) == 7
    assert link.tree_broadcast(3, 4) == 14
    assert link.tree_broadcast(3, 5) == 21
    assert link.tree_all_reduce(3, 4) == 28
    assert link.ring_pass(8, 4) == 3 * (1 + 2 * 2)
    assert link.ring_all_reduce(8, 4) == 2 * 15
    assert link.ring_all_reduce(8, 1) == link.tree_all_reduce(8, 1) == 0
    assert link.half == 0.5


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8, 64])
def test_at_the_crossover_both_take_as_long(size):
    """The tree recommended for large tensors, and the ring for small."""
    n = LINK.crossover(size)
    assert n >= 0
    tree, ring = (
        f(n, size) for f in (LINK.tree_all_reduce, LINK.ring_all_reduce)
    )
    if n:
        assert tree == pytest.approx(ring)
    assert LINK.ring_all_reduce(n + 1e6, size) < LINK.tree_all_reduce(
        n + 1e6, size
    )


@given(
    st.floats(1e-7, 1e-2),
    st.floats(1e-12, 1e-6),
    st.lists(st.integers(1, 10**9), min_size=2, max_size=9, unique=True),
)
def test_a_fit_finds_the_link_that_took_the_times(alpha, beta, sizes):
    """The largest message decides alone, and the latency is noise."""
    link = Link(alpha=alpha, beta=beta)
    found = fit_link([*map(float, sizes)], [link.message(n) for n in sizes])
    for n in sizes:
        assert found.message(n) == pytest.approx(link.message(n), rel=1e-6)


def test_a_fit_gives_no_time_below_zero():
    """Noise makes the best line cross 0, and small messages would come
    before they were sent."""
    steep = fit_link([1e3, 1e6], [1e-7, 1e-3])
    assert steep.alpha == 0
    falling = fit_link([1e3, 1e6], [2e-3, 1e-3])
    assert falling.beta == 0
    assert 1e-3 < falling.alpha < 2e-3


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Link(alpha=-1.0, beta=0.0), "alpha is -1.0 seconds"),
        (lambda: Link(alpha=0.0, beta=float("nan")), "beta is nan"),
        (lambda: LINK.crossover(1), "1 ranks send nothing"),
        (lambda: fit_link([1.0], [1.0]), "1 sizes and 1 times"),
        (lambda: fit_link([1.0, 1.0], [1.0, 2.0]), "2 sizes and 2 times"),
        (lambda: fit_link([1.0, 2.0], [0.0, 2.0]), "took 0.0 seconds"),
    ],
)
def test_impossible_links_are_refused(call, told):
    """A line through one point, or a message that took no time."""
    with pytest.raises(ValueError, match=told):
        call()
