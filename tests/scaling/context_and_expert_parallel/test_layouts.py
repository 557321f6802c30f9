"""Who holds which positions, and what there is to see."""

from sys import maxsize

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import CAUSAL, Reach, Window
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    Sight,
    contiguous,
    positions_of,
    step_scores,
    visible_pairs,
    zigzag,
)

LAYOUTS = (contiguous, zigzag)


@given(size=st.integers(1, 8), each=st.integers(1, 5))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_position_is_held_once(layout, size, each):
    """A chunk that two ranks hold and another that nobody does."""
    n = 2 * size * each
    held = [t for chunks in layout(n, size) for c in chunks for t in c]
    assert sorted(held) == [*range(n)]
    assert {sum(map(len, c)) for c in layout(n, size)} == {2 * each}


def test_zigzag_pairs_early_chunks_with_late_ones():
    """Rank r with chunk W + r: the last rank works longest again."""
    assert zigzag(8, 2) == [
        (range(0, 2), range(6, 8)),
        (range(2, 4), range(4, 6)),
    ]
    assert positions_of(zigzag(8, 2)[0]).tolist() == [0, 1, 6, 7]


@given(size=st.integers(2, 8), each=st.integers(1, 5))
def test_zigzag_gives_each_rank_equal_work(size, each):
    """The sum is right and one rank has most of it; or the sums over steps
    are equal, and in each step ranks wait for another one."""
    n = 2 * size * each
    work = visible_pairs(zigzag, n, size)
    assert len({*work}) == 1
    assert sum(work) == n * (n + 1) // 2
    assert all(len({*counts}) == 1 for counts in step_scores(zigzag, n, size))


@given(size=st.integers(2, 8), each=st.integers(1, 5))
def test_one_piece_for_each_rank_is_unequal_work(size, each):
    """The counter that the test of the balance rests on."""
    n = 2 * size * each
    work = visible_pairs(contiguous, n, size)
    assert work == sorted(work)
    assert work[-1] > work[0]
    steps = step_scores(contiguous, n, size)
    computed = [sum(counts) for counts in zip(*steps, strict=True)]
    whole = (n // size) ** 2
    assert computed == [(rank + 1) * whole for rank in range(size)]


@pytest.mark.parametrize("mask", [CAUSAL, Window(3)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_are_those_of_the_mask(layout, mask):
    """A band that is counted from the wrong side."""
    visible = mask.visible(16, 16, torch.device("cpu")).sum(1)
    due = [int(visible[positions_of(c)].sum()) for c in layout(16, 4)]
    assert visible_pairs(layout, 16, 4, mask.reach) == due


@given(
    a=st.integers(0, 12),
    b=st.integers(0, 12),
    behind=st.sampled_from([0, 1, 3, maxsize]),
    ahead=st.sampled_from([0, 2, maxsize]),
)
def test_sight_is_that_of_each_pair(a, b, behind, ahead):
    """An edge that is off by one, where two chunks just meet."""
    queries, keys = range(a, a + 3), range(b, b + 4)
    sight = Sight(reach=Reach(behind, ahead))
    due = torch.tensor(
        [[-ahead <= q - k <= behind for k in keys] for q in queries]
    )
    hidden = sight.hidden(queries, keys, torch.device("cpu"))
    assert sight.sees(queries, keys) == bool(due.any())
    found = torch.zeros(3, 4, dtype=torch.bool) if hidden is None else hidden
    assert torch.equal(~found, due)


def test_documents_are_told_apart_wherever_they_lie():
    """Numbers of a rank's own positions, which begin at 0 on each rank."""
    numbers = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2], [0] * 8])
    documents = Documents.of(numbers)
    sight = Sight(starts=documents.starts)
    hidden = sight.hidden(range(6, 8), range(2, 5), torch.device("cpu"))
    assert hidden.tolist() == [
        [[True, False, False], [True, True, True]],
        [[False, False, False], [False, False, False]],
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [0, 13])
def test_what_does_not_divide_is_refused(layout, n):
    """The last positions belong to nobody, and are never learned from."""
    with pytest.raises(ValueError, match=rf"{n} positions .* pad the rows"):
        layout(n, 2)
