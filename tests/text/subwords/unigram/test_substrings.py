"""Substrings by whole arrays, against a plain count."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.subwords.unigram.substrings import frequent_substrings

corpora = st.dictionaries(
    st.text("abcé日", min_size=1, max_size=20),
    st.integers(1, 5),
    min_size=1,
    max_size=12,
)


def count_naively(pieces, longest):
    counts: Counter[str] = Counter()
    for piece, count in pieces.items():
        for start in range(len(piece)):
            for end in range(start + 1, min(len(piece), start + longest) + 1):
                counts[piece[start:end]] += count
    return counts


def chosen_naively(pieces, longest):
    """Repeated, and not always followed by one and the same character."""
    counts = count_naively(pieces, longest)
    return {
        text: count
        for text, count in counts.items()
        if len(text) == 1
        or (
            count > 1
            and not any(
                len(other) == len(text) + 1
                and other.startswith(text)
                and counts[other] == count
                for other in counts
            )
        )
    }


@given(corpora, st.integers(1, 8))
def test_all_repeated_substrings_are_found(pieces, longest):
    """A substring counted over the border of two pieces, or dropped with a
    rarer one that begins alike."""
    found = frequent_substrings(pieces, longest, 10**6)
    counts = dict(zip(found.texts, found.counts.tolist(), strict=True))
    assert counts == chosen_naively(pieces, longest)
    assert len(counts) == len(found.texts)


@given(corpora, st.integers(1, 6))
def test_the_table_says_where_each_stands(pieces, longest):
    """Numbers that shift where a substring is left out."""
    found = frequent_substrings(pieces, longest, 10**6)
    text = "".join(pieces)
    number = {t: i for i, t in enumerate(found.texts)}
    ends = [
        end
        for begin, end in zip(
            found.begins[:-1].tolist(), found.begins[1:].tolist(), strict=True
        )
        for _ in range(end - begin)
    ]
    for n in range(longest):
        for at, end in enumerate(ends):
            here = text[at : at + n + 1] if at + n < end else ""
            assert found.table[n, at] == number.get(here, -1)
    for i, begin in enumerate(found.first.tolist()):
        assert text.startswith(found.texts[i], begin)


@given(corpora, st.integers(0, 5))
def test_the_limit_keeps_what_covers_most(pieces, limit):
    """A limit that drops single characters, or keeps rare long strings."""
    found = frequent_substrings(pieces, 8, limit)
    everything = chosen_naively(pieces, 8)
    longer = [t for t in found.texts if len(t) > 1]
    assert {t for t in everything if len(t) == 1} <= set(found.texts)
    assert len(longer) <= limit
    kept = [everything[t] * len(t) for t in longer]
    left = [
        everything[t] * len(t)
        for t in everything
        if len(t) > 1 and t not in longer
    ]
    assert not kept or not left or min(kept) > max(left)
