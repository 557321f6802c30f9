"""Shingles on arrays are those that plain Python cuts."""

import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.deduplication.shingles import shingle, unit_hashes

TEXTS = st.text(
    st.sampled_from("abcABC dé_.,'\n\t0123ÉßÄ\u0301\u2019\u4e2d🙂\ud800\x85"),
    max_size=60,
)


def words_of(text):
    text = unicodedata.normalize("NFC", text.lower())
    return regex.findall(r"[\p{L}\p{M}\p{N}]+", text)


def cut(units, size):
    """The chapter's loop: every run of units, or all where they are few."""
    if not units:
        return []
    return [
        tuple(units[i : i + size])
        for i in range(max(len(units) - size, 0) + 1)
    ]


def same_partition(hashes, shingles):
    """Whether equal shingles have equal hashes, and different ones not."""
    pairs = set(zip(hashes.tolist(), shingles, strict=True))
    assert len(pairs) == len(set(shingles)) == len(set(hashes.tolist()))


@given(st.lists(TEXTS, max_size=8), st.integers(1, 6))
def test_words_are_those_of_a_regular_expression(texts, size):
    """A window over the end of a text, an accent written in two ways, a
    word of bytes cut at eight, an empty text that shifts all others."""
    found = shingle(texts, size)
    wanted = [cut(words_of(text), size) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(w) for w in wanted]
    same_partition(found.hashes, [s for each in wanted for s in each])


@given(st.lists(TEXTS, max_size=8), st.integers(1, 6))
def test_characters_are_those_of_the_words(texts, size):
    """Bytes of one character counted as several."""
    found = shingle(texts, size, "characters")
    wanted = [cut(" ".join(words_of(text)), size) for text in texts]
    assert np.diff(found.offsets).tolist() == [len(w) for w in wanted]
    same_partition(found.hashes, [s for each in wanted for s in each])


def test_real_text_has_the_shingles_of_the_loop():
    """Hashes that collide, or words of more than eight bytes that are told
    apart by their first eight only."""
    texts = [*python_docs(60_000), "x" * 40, "x" * 39 + "y", "y" + "x" * 39]
    found = shingle(texts, 3)
    wanted = [s for text in texts for s in cut(words_of(text), 3)]
    same_partition(found.hashes, wanted)


@given(st.lists(TEXTS, min_size=1, max_size=6), st.data())
def test_a_text_does_not_depend_on_its_batch(texts, data):
    """One curly quote in a batch changes the hashes of its neighbours, and
    copies in two batches no longer meet."""
    i = data.draw(st.integers(0, len(texts) - 1))
    together, alone = shingle(texts, 2), shingle([texts[i]], 2)
    low, high = together.offsets[i : i + 2]
    assert np.array_equal(together.hashes[low:high], alone.hashes)


def test_hashes_are_equal_in_every_process():
    """Python's own hash of a string changes with each process, so that two
    workers, or today's run and tomorrow's, share no key."""
    program = (
        "from scratchlm.text.deduplication.shingles import shingle\n"
        "print(shingle(['she sells sea shells'], 2).hashes)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, check=True, text=True,
        ).stdout
        for seed in "12"
    }  # fmt: skip
    assert len(runs) == 1
    assert str(shingle(["she sells sea shells"], 2).hashes) in runs.pop()


def test_hashes_are_those_that_were_stored():
    """A change of the arithmetic that makes old keys worthless in silence."""
    found = shingle(["she sells sea shells", "naïve"], 3).hashes
    assert found.tolist() == [
        7737404013123420538,
        6820342048405699452,
        15732704006997821883,
    ]


def test_case_punctuation_and_accents_make_no_difference():
    """A copy with other quotes that is told from its original."""
    one, two = "It’s the CAFÉ—she said.", "it's\nthe cafe\u0301; she said"
    found = shingle([one, two], 2)
    assert np.array_equal(*np.split(found.hashes, 2))


@pytest.mark.parametrize(
    ("size", "text", "count"), [(5, "", 0), (5, "!?", 0), (5, "a b", 1)]
)
def test_a_text_shorter_than_a_shingle(size, text, count):
    """A window that runs into the next document, or no shingle at all and
    so a document that no copy of it is ever found for."""
    neighbour = "c d e f g h"
    found = shingle([text, neighbour], size)
    assert np.diff(found.offsets).tolist() == [count, 2]
    assert shingle(["a b"], 5).hashes != shingle(["a b c"], 5).hashes


def test_bad_input_is_named():
    """A run of no words, or a unit that is silently taken for words."""
    with pytest.raises(ValueError, match="0 units"):
        shingle(["a"], 0)
    with pytest.raises(ValueError, match="unit is 'letters'"):
        unit_hashes(["a"], "letters")
