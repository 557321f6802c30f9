"""What the rows of a batch have read and written."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.sampling.history import History

V = 6
TOKENS = st.integers(0, V - 1)


def counted(history, prompt):
    rows = [
        (list(read) if prompt else []) + written
        for read, written in zip(history.prompts, history.written, strict=True)
    ]
    return [[row.count(token) for token in range(V)] for row in rows]


@given(data=st.data())
def test_counts_are_those_of_the_lists(data):
    """Counts that go on with the rows of before, or that a repeated row
    shares with its copy."""
    prompts = data.draw(st.lists(st.lists(TOKENS, max_size=4), max_size=4))
    history = History(prompts)
    asked = data.draw(st.integers(0, 6))
    for step in range(6):
        if step >= asked:  # from here on kept up to date
            for prompt in (True, False):
                found = history.counts(V, prompt=prompt)
                assert found.tolist() == counted(history, prompt)
        n = len(history)
        history.append(data.draw(st.lists(TOKENS, min_size=n, max_size=n)))
        if n and data.draw(st.booleans()):
            live = st.lists(st.integers(0, n - 1), max_size=4)
            history.keep(data.draw(live))


def test_rows_keep_the_number_with_which_they_began():
    """A row that is numbered anew when another ends draws other tokens."""
    history = History([[1], [2], [3]])
    history.append([4, 4, 5])
    history.keep([2, 0, 2])
    assert len(history) == 3
    assert history.rows == [2, 0, 2]
    assert history.prompts == [[3], [1], [3]]
    assert history.written == [[5], [4], [5]]
    history.append([0, 1, 2])
    assert history.written == [[5, 0], [4, 1], [5, 2]]


def test_the_callers_prompt_stays_as_it_is():
    """A list that is kept and written to changes under the caller."""
    prompt = [1, 2]
    history = History([prompt, prompt])
    history.prompts[0].append(3)
    assert prompt == [1, 2]
    assert history.prompts[1] == [1, 2]


def test_as_many_tokens_as_rows():
    """zip stops at the shorter one, and rows fall behind without a word."""
    history = History([[], []])
    with pytest.raises(ValueError, match="1 tokens for 2 live rows"):
        history.append([1])


def test_each_vocabulary_has_its_own_table():
    """A padded output layer after an unpadded one would get the wrong size."""
    history = History([[1]])
    assert history.counts(3, prompt=True).shape == (1, 3)
    assert history.counts(5, prompt=True).shape == (1, 5)
    assert history.counts(5, prompt=False).sum() == 0
    assert history.counts(5, prompt=True).device == torch.device("cpu")
