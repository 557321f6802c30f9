"""Equal texts and equal lines, and nothing else, share a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.deduplication.exact import (
    drop_repeated_lines,
    exact_keys,
    normalise,
    text_key,
)

LONG = "a line that is long enough to be taken for boilerplate"


@given(st.text(), st.text())
def test_keys_agree_where_normalised_texts_do(one, two):
    """A hash of the process, or of the spelling that one file has."""
    assert (text_key(one) == text_key(two)) == (
        normalise(one) == normalise(two)
    )


@pytest.mark.parametrize(
    "copy",
    ["the café shut.", "The  Café\r\nshut.", "the cafe\u0301 shut.\n\n",
     "The\u00a0Café shut."],
)  # fmt: skip
def test_copies_that_look_alike_share_a_key(copy):
    """Line ends of another system, a no-break space, an accent apart."""
    keys = exact_keys(["The Café shut.", copy, "The Cafe shut."])
    assert keys[0] == keys[1] != keys[2]


def test_ascii_and_unicode_drop_the_same_space():
    """Two rules for white space, one for each kind of text."""
    signs = [chr(c) for c in range(128)]
    plain = normalise("".join(signs))
    assert plain + "é".encode() == normalise("".join(signs) + "é")
    assert plain == "".join(c.lower() for c in signs if c.strip()).encode()


def test_half_a_surrogate_pair_has_a_key():
    """A text that cannot be encoded ends a run of many hours."""
    assert text_key("\ud800") != text_key("\ud801")


def test_a_line_stays_where_it_stands_first():
    """The first copy dropped too, short lines dropped, or two documents
    that are joined or lost."""
    texts = [
        f"{LONG}\nelse:\none\n",
        f"two\n  {LONG.upper()}\nelse:",
        LONG,
        "",
    ]
    found = list(drop_repeated_lines(iter(texts)))
    assert [each.text for each in found] == [texts[0], "two\nelse:", "", ""]
    assert [each.n_dropped for each in found] == [0, 1, 1, 0]


def test_the_shortest_line_to_compare_can_be_set():
    """Blank lines count as repeats of each other."""
    found = list(drop_repeated_lines(["a\n\n\nb\na", "b"], 0))
    assert [each.text for each in found] == ["a\n\n\nb", ""]


@given(st.lists(st.text("ab\n", max_size=12), max_size=6))
def test_a_second_pass_changes_nothing(texts):
    """A line that comes back because its neighbours went."""
    once = [each.text for each in drop_repeated_lines(texts, 2)]
    twice = [each.text for each in drop_repeated_lines(once, 2)]
    assert once == twice


def test_bad_input_is_named():
    """A string read letter by letter; the error when the last text is in."""
    with pytest.raises(ValueError, match="one string"):
        drop_repeated_lines("a text")
    with pytest.raises(ValueError, match="min_characters is -1"):
        drop_repeated_lines([], -1)
