import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scratchlm.inference.constrained.grammar import pattern
from scratchlm.inference.constrained.json_schema import json_schema
from scratchlm.inference.constrained.processor import Constrained
from scratchlm.inference.constrained.vocabulary import Vocabulary
from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.sampler import greedy

BYTES = {i: bytes([i]) for i in range(256)}
END = 256
PIECES = st.binary(min_size=1, max_size=3) | st.sampled_from(
    [b'"', b'":', b'","', b'"}', b"}]", b'[{"', b"null", b"true,", b"12",
     b"\xc3", "é\"".encode(), "😀".encode(), b"\\ud8", b"3d\\ud"]
)  # fmt: skip
# Likeliest first: what brings any JSON text to its end.
CLOSING = b'"by-}],0123456789nulatrfesxdc\\'


def write(constrained, seed, n_free, tokens):
    """Random tokens, and from the n-th on those that end the text."""
    history, ids = History([[7]]), []
    draws = torch.Generator().manual_seed(seed)
    width = constrained.vocabulary.size
    closing = torch.zeros(width)
    for rank, byte in enumerate(reversed(CLOSING)):
        closing[byte] = 1e3 + rank
    closing[END] = 1e6
    while not ids or ids[-1] != END:
        assert len(ids) < n_free + 250
        logits = torch.randn(1, width, generator=draws)
        if len(ids) >= n_free:
            logits = logits + closing
        ids.append(int(constrained(logits, history).argmax()))
        history.append(ids[-1:])
    return ids[:-1]


@given(
    data=st.data(),
    seed=st.integers(0, 2**31),
    pieces=st.lists(PIECES, max_size=20),
    n_free=st.integers(0, 12),
)
@settings(max_examples=25)
def test_what_is_written_is_in_the_grammar_and_ends(
    data, seed, pieces, n_free, schemas
):
    """A token that straddles the end of a string, half a character before
    the end, a state without a token: each writes what no parser reads."""
    try:
        grammar = json_schema(data.draw(schemas))
    except ValueError:
        assume(False)
    tokens = BYTES | {257 + i: text for i, text in enumerate(pieces)}
    vocabulary = Vocabulary(tokens, 280)
    ids = write(Constrained(grammar, vocabulary, END), seed, n_free, tokens)
    text = b"".join(tokens[i] for i in ids)
    assert grammar.accepts(text)
    text.decode()  # raises where a character was left half


def test_rows_are_read_each_for_itself():
    """The state of one row used for another, or kept when rows leave."""
    constrained = Constrained(pattern("ab|cd"), Vocabulary(BYTES, 257), END)
    history = History([[1], [2, 2], [3]])
    flat = torch.zeros(3, 257)
    history.append([97, 99, 97])
    left = constrained(flat, history)
    assert greedy(left, history).tolist() == [98, 100, 98]
    history.keep([1])
    assert greedy(constrained(flat[:1], history), history).tolist() == [100]
    history.append([100])
    assert greedy(constrained(flat[:1], history), history).tolist() == [END]
    assert flat.abs().sum() == 0


def test_the_same_history_gives_the_same_mask():
    """A processor that counts its calls in place of reading the rows."""
    constrained = Constrained(pattern("ab*"), Vocabulary(BYTES, 257), END)
    once = constrained.allowed([97, 98])
    for ids in ([97], [97, 98, 98], [], [97, 98, END]):
        constrained.allowed(ids)
    assert torch.equal(constrained.allowed([97, 98]), once)
    assert once.nonzero()[:, 0].tolist() == [98, END]


def test_behind_the_end_stands_the_end():
    """A row that is over hides all tokens, and the sampler stops the
    others."""
    constrained = Constrained(pattern("a?"), Vocabulary(BYTES, 257), END)
    for ids in ([END], [97, END, END]):
        assert constrained.allowed(ids).nonzero().tolist() == [[END]]
    assert constrained.state([97, END]) is None


def test_a_row_that_has_left_is_refused():
    """A mask for a text that is none of the grammar's: all or nothing."""
    constrained = Constrained(pattern("ab"), Vocabulary(BYTES, 258), END)
    for ids, place in (([98], 0), ([97, 97], 1), ([END], 0), ([97, 257], 1)):
        with pytest.raises(ValueError, match=f"at place {place}"):
            constrained.allowed(ids)


def test_settings_that_cannot_work_are_refused():
    """A grammar that the vocabulary cannot say, found at the first draw or
    at the last."""
    few = Vocabulary({0: b"a", 1: b"ab"}, 3)
    with pytest.raises(ValueError, match="grammar that no token can begin"):
        Constrained(pattern("ba"), few, 2)
    with pytest.raises(ValueError, match="grammar that no token can begin"):
        Constrained(pattern("abc"), few, 2)
    for end_id in (-1, 0, 3):
        with pytest.raises(ValueError, match=f"end_id is {end_id}"):
            Constrained(pattern("ab"), few, end_id)
    constrained = Constrained(pattern("ab"), few, 2)
    with pytest.raises(ValueError, match="4 wide and the vocabulary 3"):
        constrained(torch.zeros(1, 4), History([[0]]))


def test_no_rows_have_no_masks():
    """The step after the last row has ended."""
    constrained = Constrained(pattern("a"), Vocabulary(BYTES, 257), END)
    assert constrained(torch.zeros(0, 257), History([])).shape == (0, 257)


def test_states_are_kept_within_bounds(monkeypatch):
    """Texts that are over and still held."""
    from scratchlm.inference.constrained import processor as module

    monkeypatch.setattr(module, "MOST_STATES", 3)
    constrained = Constrained(pattern("a*"), Vocabulary(BYTES, 257), END)
    for n in range(20):
        assert constrained.allowed([97] * n).sum() == 2
        assert len(constrained._states) <= 3
