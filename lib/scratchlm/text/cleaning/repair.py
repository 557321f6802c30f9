"""Repair of characters and white space."""

import re
import unicodedata

from scratchlm.text.cleaning.steps import Edit


def _windows_1252() -> dict[int, int]:
    """Character to byte, for the characters beyond ASCII.

    As web browsers do, each byte that the code page leaves undefined means
    the control character of the same number. Those control characters stand
    for their byte as well, so that Latin-1 is covered by the same table.

    Source: WHATWG Encoding Standard, index windows-1252.
    """
    table = {byte: byte for byte in range(0x80, 0x100)}
    for byte in range(0x80, 0xA0):
        char = bytes([byte]).decode("cp1252", "ignore")
        if char:
            table[ord(char)] = byte
    return table


_BYTE_OF = _windows_1252()
_CHAR_OF = {
    byte: ord(bytes([byte]).decode("cp1252"))
    for byte in range(0x80, 0xA0)
    if bytes([byte]).decode("cp1252", "ignore")
}
_RUN = re.compile(r"[^\x00-\x7f]+")


def _in_class(first: int, last: int) -> str:
    """The characters of a range of bytes, inside a regular expression."""
    chars = (chr(c) for c, byte in _BYTE_OF.items() if first <= byte <= last)
    return "[" + re.escape("".join(chars)) + "]"


_TAIL = _in_class(0x80, 0xBF)
# What no writer types, each a whole UTF-8 sequence read as windows-1252.
_NEVER_WRITTEN = re.compile(
    "|".join(
        [
            # A circumflex or tilde A, then a sign, as no all-capitals word
            # ends. It stands for the signs and letters of Western Europe.
            # Of the tails of the circumflex, half would be controls.
            f"(?<![A-ZÀ-ÖØ-Þ])(?:Â{_in_class(0xA0, 0xBF)}|Ã{_TAIL})",
            f"(?<=\\b[A-Z])Ã{_TAIL}(?=[a-z])",
            # A capital inside a word, then a sign. Sharp s is no capital.
            f"(?<=[a-zß-öø-ÿ])[Ä-ÖØ-Þ]{_TAIL}",
            # Two sequences without a letter between.
            f"{_in_class(0xC2, 0xDF)}{_TAIL}{_in_class(0xC2, 0xDF)}{_TAIL}",
            f"(?:{_in_class(0xE0, 0xEF)}{_TAIL}{_TAIL}){{2}}",
            # Dashes, quotation marks, the euro sign, arrows; the byte order
            # mark; emoji.
            f"â[€‚„†ˆ]{_TAIL}",
            "ï»¿",
            f"ðŸ{_TAIL}{{2}}",
            # A control character of ISO 6429 instead of a letter.
            "[\x80-\x9f]",
        ]
    )
)

_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\u2028\u2029]")
# Left alone: the joiners U+200C and U+200D and the direction marks, which
# spell Persian, Hindi, Arabic and many emoji.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\ufff9-\ufffb]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_TAIL = re.compile(r"(?<![ \t])[ \t]++$", re.M)
_BLANK_LINES = re.compile(r"\n{3,}")


def repair_text(text: str) -> str:
    """Undo what wrong decoders and careless pages did to a text.

    UTF-8 that was read as Latin-1 or as
    windows-1252 is read again, where that is certain; code points are
    composed (NFC); every line ends in a newline; odd spaces become spaces;
    control characters and invisible ones go; so do spaces at the end of a
    line and the third of three newlines. Repairing twice changes nothing
    more.

    Args:
        text: any string, half surrogate pairs included.
    """
    # One repair can clear the way for another: a line is read again as a
    # whole, and an invisible character in it forbids that until it is gone.
    while (better := _repair_once(text)) != text:
        text = better
    return text


def _repair_once(text: str) -> str:
    text = repair_mojibake(text)
    text = text.translate(_CHAR_OF)
    text = _LINE_ENDS.sub("\n", text)
    text = _SPACES.sub(" ", text)
    text = _INVISIBLE.sub("", text)
    text = _CONTROLS.sub("", text)
    text = unicodedata.normalize("NFC", text)
    text = _LINE_TAIL.sub("", text)
    return _BLANK_LINES.sub("\n\n", text).strip("\n")


def repair_mojibake(text: str) -> str:
    """Read UTF-8 that was read as windows-1252 or Latin-1 once more, right.

    Line by line; a line that was mangled
    twice is repaired twice.

    Args:
        text: any string.
    """
    if not _NEVER_WRITTEN.search(text):
        return text
    # Not splitlines: it cuts at U+0085, a byte of many sequences.
    return "\n".join(map(_repair_line, text.split("\n")))


def _repair_line(line: str) -> str:
    """Repair a line if two things hold, and leave it alone otherwise.

    Every character beyond ASCII takes part in a sequence that is valid
    UTF-8, and one of the sequences is of a kind that nobody types.
    """
    while _NEVER_WRITTEN.search(line):
        try:
            better = _RUN.sub(_read_again, line)
        except UnicodeDecodeError:
            break
        line = better
    return line


def _read_again(run: re.Match[str]) -> str:
    data = bytes(_BYTE_OF.get(ord(char), 0xFF) for char in run[0])
    return data.decode("utf-8")


REPAIR = Edit(name="repaired", change=repair_text)
