"""Documents between marks, wherever a file is cut and however lines end."""

import gzip
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.corpora import byte_streams
from scratchlm.text.corpora.plain import MARK, SEPARATOR, read_plain


def split(data, size=1 << 14):
    """What the reader makes of data that comes in chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            byte_streams,
            "_raw_chunks",
            lambda path: (
                data[i : i + size] for i in range(0, len(data), size)
            ),
        )
        return list(read_plain(Path("a.txt")))


@given(
    st.lists(st.text(alphabet="ab\r\né<|")), st.booleans(), st.integers(1, 40)
)
def test_marks_separate_documents(texts, ends, size):
    """A separator that lies across two chunks is missed, and two stories
    become one."""
    data = SEPARATOR.join(texts) + (SEPARATOR if ends and texts else "")
    if not ends and texts and not texts[-1]:
        texts = texts[:-1]
    assert split(data.encode(), size) == texts


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ("M\none\nM\ntwo\n", ["one", "two\n"]),
        ("one\nM\nM\ntwo\nM\n", ["one", "two"]),
        ("M\nM\nM\none", ["one"]),
        ("one\nM\n\nM\ntwo", ["one", "", "two"]),
        ("one\r\nM\r\ntwo\r\nM\r\n", ["one", "two"]),
        ("a\r\nb\r\nM\r\n\r\nM\r\n", ["a\r\nb", ""]),
        ("M\r\none\r\nM", ["one"]),
        ("M\r\none\r\nM\r", ["one"]),
        ("one\nM  \ntwo\nM\t \r\nthree", ["one", "two", "three"]),
        ("one\nM", ["one"]),
        ("one\nM  ", ["one"]),
        ("M", []),
        ("M\n", []),
        ("\ufeffM\none\nM\n", ["one"]),
        ("one\nM\n\ufeffM\ntwo", ["one", "two"]),
        ("a M\nb M b\nM c\n M\n", ["a M\nb M b\nM c\n M\n"]),
        ("", []),
    ],
)
def test_a_mark_is_any_line_that_is_a_mark(data, texts):
    """A first line, a doubled one, one from Windows or one with a space
    behind it trains a model to say the mark in the middle of a text."""
    whole = data.replace("M", MARK).encode()
    expected = [text.replace("M", MARK) for text in texts]
    for size in (1, 3, 7, len(whole) or 1):
        assert split(whole, size) == expected


def test_marks_are_found_in_packed_files_too(tmp_path):
    """A rule for plain files alone."""
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(f"{MARK}\r\none\r\n{MARK}\r\n".encode()))
    assert list(read_plain(path)) == ["one"]


@pytest.mark.parametrize("unit", ["a", f"{MARK} "])
def test_a_long_line_is_looked_at_once(unit):
    """A search that begins anew with each chunk, or a copy of all that is
    held: a line of 30 MB in chunks of 16 kB would be read a thousand times.
    What must be done, to decode the chunks and join them, is timed beside."""
    data = unit * (30_000_000 // len(unit))
    raw = data.encode()

    def least():
        parts = [raw[i : i + (1 << 14)] for i in range(0, len(raw), 1 << 14)]
        return "".join([str(part, "utf-8") for part in parts])

    def seconds(call):
        times = []
        for _ in range(3):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        return min(times)

    assert split(raw) == [data]
    assert seconds(lambda: split(raw)) < 50 * seconds(least)
