"""Which positions of a row belong to one document."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.attention.documents import Documents, Within, within
from scratchlm.model.attention.masks import (
    CAUSAL,
    Everything,
    Mask,
    Window,
)
from scratchlm.text.shards.packing import document_mask

CPU = torch.device("cpu")
MASKS = [CAUSAL, Window(1), Window(3), Everything()]


@st.composite
def rows(draw, n_rows=2):
    """Rows of documents of one token and more, with padding at the end."""
    n_tokens = draw(st.integers(1, 12))
    made = []
    for _ in range(n_rows):
        begins = draw(
            st.lists(st.booleans(), min_size=n_tokens, max_size=n_tokens)
        )
        numbers = torch.tensor(begins).long().cumsum(0)
        numbers[n_tokens - draw(st.integers(0, n_tokens)) :] = -1
        made.append(numbers)
    return torch.stack(made)


def by_loops(numbers, t, s):
    return t == s or bool(numbers[t] == numbers[s] >= 0)


@given(rows(), st.sampled_from(MASKS), st.integers(1, 12))
def test_the_mask_is_the_loops(numbers, mask, n_tokens):
    """A document that reads its neighbour; with fewer queries than keys, a
    query that stands in the document of another position."""
    documents = Documents.of(numbers)
    n_keys = numbers.shape[1]
    n_tokens = min(n_tokens, n_keys)
    near = mask.visible(n_tokens, n_keys, CPU).expand(2, 1, -1, -1)
    if documents is None:
        assert all(
            by_loops(row, t, s)
            for row in numbers
            for t in range(n_keys)
            for s in range(n_keys)
        )
        return
    seen = within(mask, documents).visible(n_tokens, n_keys, CPU)
    for b, _, t, s in near.nonzero().tolist():
        at = t + n_keys - n_tokens
        assert seen[b, 0, t, s] == by_loops(numbers[b], at, s)
    assert not (seen & ~near).any()
    assert seen.any(-1).all(), "a softmax over nothing"


@given(rows())
def test_the_mask_is_that_of_the_shards(numbers):
    """Two parts of the book that take padding for different things."""
    documents = Documents.of(numbers)
    if documents is not None:
        n_tokens = numbers.shape[1]
        ours = within(CAUSAL, documents).visible(n_tokens, n_tokens, CPU)
        theirs = torch.from_numpy(document_mask(numbers.numpy()))
        assert torch.equal(ours[:, 0], theirs)


@given(rows())
def test_positions_and_edges_by_loops(numbers):
    """A position that counts on from the document before; an end that is
    one off, so that a tile is skipped which holds something to see."""
    documents = Documents.of(numbers)
    if documents is None:
        return
    n_keys = numbers.shape[1]
    own = [
        [
            [s for s in range(n_keys) if by_loops(row, t, s)]
            for t in range(n_keys)
        ]
        for row in numbers
    ]
    for t in range(n_keys):
        firsts = [row[t][0] for row in own]
        assert documents.starts[:, t].tolist() == firsts
        assert documents.positions[:, t].tolist() == [t - f for f in firsts]
        assert documents.edges.earliest[t] == min(firsts)
        assert documents.edges.latest[t] == max(firsts)
        assert documents.edges.ends[t] == max(row[t][-1] + 1 for row in own)


@pytest.mark.parametrize("number", [0, 7])
def test_rows_of_one_document_need_no_mask(number):
    """A mask of T by T for each row, which keeps PyTorch from its fast
    kernel; the number of the document does not matter, padding does."""
    rows = torch.tensor([[0, 0, 0], [number] * 3])
    assert Documents.of(rows) is None
    assert within(CAUSAL, None) is CAUSAL
    rows[1, 2] = -1
    assert Documents.of(rows) is not None


def test_layers_share_one_mask():
    """B times T times S bytes that each layer makes and keeps anew."""
    documents = Documents.of(torch.tensor([[0, 0, 1]]))
    made = [
        within(mask, documents).visible(3, 3, CPU)
        for mask in (CAUSAL, Window(2), CAUSAL, Window(2))
    ]
    assert made[0] is made[2]
    assert made[1] is made[3]
    assert made[0] is not made[1]
    assert isinstance(within(CAUSAL, documents), Mask)
    assert within(CAUSAL, documents) == Within(CAUSAL, documents)


def test_added_is_visible_in_numbers():
    """Keys that are weighed the less instead of hidden."""
    documents = Documents.of(torch.tensor([[0, 0, 1]]))
    visible = documents.visible(CAUSAL, 2)
    for dtype in (torch.float32, torch.bfloat16):
        added = documents.added(CAUSAL, 2, dtype)
        assert added.dtype == dtype
        assert torch.equal(added == 0, visible)
        assert torch.equal(added == -torch.inf, ~visible)
        assert documents.added(CAUSAL, 2, dtype) is added


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 1, 0], "row 1 has document 0 at position 2, after document 1"),
        ([1, 1, 0], "row 1 has document 0 at position 2, after document 1"),
        ([0, -1, 0], "row 1 has document 0 at position 2"),
        ([0, -2, -2], "number -2"),
    ],
)
def test_a_document_in_two_parts_is_refused(row, message):
    """Each part taken for a document, in silence."""
    with pytest.raises(ValueError, match=message):
        Documents.of(torch.tensor([[0, 0, 1], row]))


def test_padding_may_come_first():
    """Rows that are padded at the left, as for writing on several texts."""
    documents = Documents.of(torch.tensor([[-1, -1, 0, 0], [0, 0, 0, 0]]))
    assert documents.positions.tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]


def test_keys_without_a_document_are_refused():
    """A cache whose documents are forgotten: the last T are masked by the
    first T."""
    documents = Documents.of(torch.tensor([[0, 1, 1]]))
    with pytest.raises(ValueError, match="5 keys, but the documents of 3"):
        within(CAUSAL, documents).visible(3, 5, CPU)


def test_the_last_positions_keep_their_documents():
    """A cache of a window has forgotten keys: documents that are counted
    from the first one hide the wrong ones."""
    documents = Documents.of(torch.tensor([[0, 0, 1, 1, 1], [-1, 0, 0, 0, 1]]))
    last = documents.last(3)
    assert last.starts.tolist() == [[0, 0, 0], [0, 0, 2]]
    whole = documents.visible(CAUSAL, 2)[..., 2:]
    assert torch.equal(last.visible(CAUSAL, 2), whole)
    assert documents.last(5) is documents
    assert documents.last(3) is last
    with pytest.raises(ValueError, match="6 keys, but the documents of 5"):
        documents.last(6)
