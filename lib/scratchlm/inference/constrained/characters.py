"""Characters as bytes: UTF-8, and the spellings of JSON."""

from collections.abc import Iterable, Sequence
from functools import cache

from scratchlm.inference.constrained.expression import (
    Expression,
    either,
    literal,
    one_of,
    sequence,
)

Ranges = Sequence[tuple[int, int]]  # first and last code point of each

LAST = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)  # which UTF-8 cannot hold
# Where the first bits of UTF-8 change, and with them the number of bytes.
LENGTHS = ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, LAST))
ALL: Ranges = ((0, 0xD7FF), (0xE000, LAST))

SHORT = {
    '"': '"', "\\": "\\", "\b": "b", "\f": "f", "\n": "n", "\r": "r",
    "\t": "t",
}  # fmt: skip
DIGIT = one_of((0x30, 0x39))
HEX = one_of((0x30, 0x39), (0x41, 0x46), (0x61, 0x66))
TO_B = one_of((0x38, 0x39), (0x41, 0x42), (0x61, 0x62))  # 8 to b


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the same code points in order, without overlaps."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """Return the code points of ``ranges`` that are not taken."""
    left = list(ranges)
    for start, end in taken:
        left = [
            (a, b)
            for low, high in left
            for a, b in (
                (low, min(high, start - 1)),
                (max(low, end + 1), high),
            )
            if a <= b
        ]
    return left


def utf8(ranges: Ranges) -> Expression:
    """Return the expression of one character's bytes.

    Args:
        ranges: its possible code points; surrogates among them are left
            out.
    """
    parts = []
    for low, high in without(ranges, [SURROGATES]):
        for start, end in LENGTHS:
            if low <= end and start <= high:
                first, last = (
                    chr(point).encode()
                    for point in (max(low, start), min(high, end))
                )
                parts.append(_between(first, last))
    return either(*parts)


def _between(low: bytes, high: bytes) -> Expression:
    """Return byte strings of one length, in the order of numbers."""
    if len(low) == 1:
        return one_of((low[0], high[0]))
    a, b = low[0], high[0]
    least, most = b"\x80" * (len(low) - 1), b"\xbf" * (len(low) - 1)
    if a == b:
        return sequence(one_of((a, a)), _between(low[1:], high[1:]))
    parts = []
    if low[1:] > least:
        parts.append(sequence(one_of((a, a)), _between(low[1:], most)))
        a += 1
    if high[1:] < most:
        parts.append(sequence(one_of((b, b)), _between(least, high[1:])))
        b -= 1
    if a <= b:
        parts.append(sequence(one_of((a, b)), _between(least, most)))
    return either(*parts)


def spelled(character: str) -> bytes:
    """Return a character as ``json.dumps(…, ensure_ascii=False)`` does.

    Args:
        character: one; no surrogate.
    """
    if character in SHORT:
        return f"\\{SHORT[character]}".encode()
    if ord(character) < 0x20:
        return f"\\u{ord(character):04x}".encode()
    return character.encode()


@cache
def json_characters(ranges: tuple[tuple[int, int], ...]) -> Expression:
    """Return one character within a JSON string, each in one spelling.

    Args:
        ranges: its possible code points.
    """
    escaped = [ord(c) for c in SHORT] + list(range(0x20))
    odd = merged((point, point) for point in escaped)
    plain = utf8(without(ranges, odd))
    kept = [
        literal(spelled(chr(point)))
        for point in sorted(set(escaped))
        if any(low <= point <= high for low, high in ranges)
    ]
    return either(plain, *kept)


@cache
def any_json_character() -> Expression:
    r"""Return one character within a JSON string, in any spelling.

    RFC 8259, section 7: as it is, or escaped. ``\u`` spells one code point
    of 16 bits; a character beyond takes two, a high surrogate and a low
    one. A surrogate by itself is no character and is not allowed.
    """
    backslash = literal(b"\\")
    letter = one_of(*((b, b) for b in b'"\\/bfnrt'))
    d = one_of((0x44, 0x44), (0x64, 0x64))  # D and d
    c_to_f = one_of((0x43, 0x46), (0x63, 0x66))
    not_d = one_of((0x30, 0x39), (0x41, 0x43), (0x45, 0x46),
                   (0x61, 0x63), (0x65, 0x66))  # fmt: skip
    unit = either(
        sequence(not_d, HEX, HEX, HEX),
        sequence(d, one_of((0x30, 0x37)), HEX, HEX),
    )
    high = sequence(d, TO_B, HEX, HEX)
    low = sequence(literal(b"\\u"), d, c_to_f, HEX, HEX)
    hexadecimal = sequence(literal(b"u"), either(unit, sequence(high, low)))
    plain = utf8(without(ALL, [(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)]))
    return either(plain, sequence(backslash, either(letter, hexadecimal)))
