"""Where the context ends, if a token reaches over its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.evaluation.perplexity.joining import (
    Question,
    common_prefix,
    join,
)
from scratchlm.text.tokenizer import BPETokenizer

# Bytes, and three tokens more: "12", "123" and " a".
TOKENIZER = BPETokenizer.train(
    ["12", "12", "12", "123", "123", " a", " a"],
    vocab_size=259,
    pattern=r" ?\p{L}+|\p{N}+|\s",
)


def text_of(ids):
    return TOKENIZER.decode(ids)


def test_a_token_that_spans_the_join():
    """Cut at the length of the context's own encoding, `12` and `3` leave
    no token to score, since `123` is one; and a whole that is as long but
    begins with another token is scored behind a context that is not its
    own."""
    assert len(TOKENIZER.encode("12")) == len(TOKENIZER.encode("123")) == 1
    question = join(TOKENIZER, "a12", ["3", " a"])
    assert text_of(question.context) == "a"
    assert [*map(text_of, question.continuations)] == ["123", "12 a"]


def test_a_space_at_the_end_of_the_context():
    """`Answer: ` and `a`: the model has seen ` a` as one token, and a space
    alone before a letter never."""
    question = join(TOKENIZER, "12 ", ["a", "12"])
    assert text_of(question.context) == "12"
    assert [*map(text_of, question.continuations)] == [" a", " 12"]


@given(
    st.text("12 3a", max_size=6),
    st.lists(st.text("12 3a", min_size=1, max_size=5), min_size=1, max_size=3),
)
def test_nothing_is_lost_at_the_join(context, continuations):
    """A token left out or scored twice; or continuations that are compared
    behind different contexts."""
    question = join(TOKENIZER, context, continuations)
    for given_, ids in zip(continuations, question.continuations, strict=True):
        whole = [*question.context, *ids]
        assert whole == TOKENIZER.encode(context + given_)
        assert ids
    assert context.startswith(text_of(question.context))


def test_what_asks_nothing():
    """An empty continuation has probability 1, and wins."""
    with pytest.raises(ValueError, match="continuation 1 of 'What' is empty"):
        join(TOKENIZER, "What", ["a", ""])
    with pytest.raises(ValueError, match="no continuations"):
        join(TOKENIZER, "What", [])
    with pytest.raises(ValueError, match="one string"):
        join(TOKENIZER, "What", "a")
    with pytest.raises(ValueError, match="continuation 0 is empty"):
        Question(context=(1,), continuations=((),))


def test_a_common_prefix():
    """One too many or too few where a row ends."""
    assert common_prefix([1, 2], [1, 2, 3]) == 2
    assert common_prefix([1, 2], [1, 3]) == 1
    assert common_prefix([], [1]) == 0
