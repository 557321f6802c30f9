"""Bytes of a page, by what it says of its encoding."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.cleaning.html_bytes import decode_html

PAGE = "<html><head>{}</head><p>Größe – “é”</p></html>"


def page(head, codec):
    return PAGE.format(head).encode(codec)


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (page("", "utf-8"), None),
        (page("", "cp1252"), None),
        (page("", "utf-8-sig"), "latin1"),
        (codecs.BOM_UTF16_LE + page("", "utf-16-le"), None),
        (codecs.BOM_UTF16_BE + page("", "utf-16-be"), "utf-8"),
        (page("", "cp1252"), "ISO-8859-1"),
        (page("<meta charset=utf-8>", "cp1252"), "windows-1252"),
        (page('<meta charset="windows-1252">', "cp1252"), None),
        (page("<META  Charset = 'latin-1' >", "cp1252"), None),
        (page("<meta charset=nonsense>", "utf-8"), "also nonsense"),
        (page("<meta charset=rot13>", "utf-8"), None),
        (page("<meta charset=utf-16>", "utf-8"), None),
        (
            page(
                '<meta http-equiv="Content-Type" '
                'content="text/html; charset=windows-1252">',
                "cp1252",
            ),
            None,
        ),
        (
            b'<?xml version="1.0" encoding="windows-1252"?>'
            + page("", "cp1252"),
            None,
        ),
    ],
)
def test_the_page_is_read_as_browsers_read_it(data, declared):
    """Mojibake on every page that is not UTF-8."""
    assert "Größe – “é”" in decode_html(data, declared)
    assert "\ufeff" not in decode_html(data, declared)


@pytest.mark.parametrize("codec", ["shift_jis", "euc-jp", "gb2312", "big5"])
def test_other_scripts(codec):
    """A table for Western Europe alone."""
    head = f"<meta charset={codec}>"
    data = f"{head}<p>日本</p>".encode(codec)
    assert "日本" in decode_html(data)
    assert "日本" in decode_html("<p>日本</p>".encode(codec), codec)


@given(st.binary())
def test_any_bytes_have_a_text(data):
    """An error on the one page of a crawl that is a picture."""
    assert isinstance(decode_html(data), str)
    assert isinstance(decode_html(b"<meta charset=utf-8>" + data), str)
