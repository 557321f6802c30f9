"""Pages of HTML as they come over the wire: bytes to text."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# As browsers look for it: <meta charset=...>, the same inside a content
# attribute, or the encoding of an XML declaration.
_LOOKED_AT = 1024
_META = re.compile(
    rb"<(?:meta\b[^>]{0,512}?\bcharset\s{0,9}=|\?xml\b[^>]{0,512}?\bencoding"
    rb"\s{0,9}=)\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})",
    re.I,
)
# Names under which pages say less than they mean. A page that names its
# encoding in ASCII is not in UTF-16.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
}


def decode_html(html: bytes, declared: str | None = None) -> str:
    """Decode a page by what it says of itself.

    The first of these decides: a byte order mark, the encoding that the
    server declared, the one that a ``meta`` tag or an XML declaration within
    the first 1,024 bytes names. A page that says nothing is UTF-8, or
    windows-1252 if it is no UTF-8. What the encoding cannot decode becomes
    U+FFFD; names that nobody knows count as none.

    Args:
        html: the source of the page.
        declared: the encoding in the server's header, such as ``utf-8``.

    Source: WHATWG, "HTML", section 13.2.3, and "Encoding", section 4.
    """
    for mark, name in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(name, "replace")
    named = _META.search(html, 0, _LOOKED_AT)
    inside = _known(named[1].decode("ascii", "replace") if named else None)
    said = _known(declared) or _MEANT.get(inside or "", inside)
    if said:
        return html.decode(_MEANT.get(said, said), "replace")
    try:
        return html.decode("utf-8")
    except UnicodeDecodeError:
        return html.decode("cp1252", "replace")


def _known(name: str | None) -> str | None:
    """Python's name for an encoding of text; None if it has none."""
    try:
        found = codecs.lookup((name or "").strip())
    except (LookupError, ValueError):
        return None
    # zip, rot13 and the like are codecs too, and no encodings of text.
    return found.name if getattr(found, "_is_text_encoding", True) else None
