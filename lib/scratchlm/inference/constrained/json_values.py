"""The values of JSON, as expressions.

Source: RFC 8259, "The JavaScript Object Notation (JSON) Data Interchange
Format", sections 2 to 7.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from scratchlm.inference.constrained.characters import (
    ALL,
    DIGIT,
    any_json_character,
    json_characters,
    spelled,
    without,
)
from scratchlm.inference.constrained.expression import (
    EMPTY,
    VOID,
    Expression,
    both,
    either,
    literal,
    one_of,
    repeat,
    sequence,
    terminal,
)
from scratchlm.inference.constrained.pattern import parse_search

QUOTE = literal(b'"')
NOT_ZERO = one_of((0x31, 0x39))


@cache
def number() -> Expression:
    """Return any number."""
    whole = either(literal(b"0"), sequence(NOT_ZERO, repeat(DIGIT, 0, None)))
    digits = repeat(DIGIT, 1, None)
    fraction = repeat(sequence(literal(b"."), digits), 0, 1)
    sign = one_of((0x2B, 0x2B), (0x2D, 0x2D))
    letter = one_of((0x45, 0x45), (0x65, 0x65))
    exponent = repeat(sequence(letter, repeat(sign, 0, 1), digits), 0, 1)
    minus = repeat(literal(b"-"), 0, 1)
    return terminal(sequence(minus, whole, fraction, exponent))


def integer(low: int | None, high: int | None) -> Expression:
    """Return the integers of a range, without a fraction or exponent.

    Args:
        low: the least; None where there is none.
        high: the greatest; None where there is none.
    """
    positive: Expression = VOID
    negative: Expression = VOID
    if high is None or high >= 0:
        positive = _natural(max(low or 0, 0), high)
    if low is None or low < 0:
        least = 1 if high is None or high >= 0 else -high
        most = None if low is None else -low
        negative = sequence(literal(b"-"), _natural(least, most))
    return terminal(either(positive, negative))


def _natural(low: int, high: int | None) -> Expression:
    """Return the numbers from ``low``, which is not negative, to ``high``."""
    if high is not None and high < low:
        return VOID
    parts = []
    if low == 0:
        parts, low = [literal(b"0")], 1
    last = len(str(low)) if high is None else len(str(high))
    for n in range(len(str(low)), last + 1):
        least = max(low, 10 ** (n - 1))
        most = 10**n - 1 if high is None else min(high, 10**n - 1)
        if least <= most:
            parts.append(_digits(str(least), str(most)))
    if high is None:
        parts.append(sequence(NOT_ZERO, repeat(DIGIT, last, None)))
    return either(*parts)


def _digits(low: str, high: str) -> Expression:
    """Return the numbers between two of equally many digits."""
    n = len(low) - 1
    a, b = ord(low[0]), ord(high[0])
    if a == b or n == 0:
        tail = _digits(low[1:], high[1:]) if n else EMPTY
        return sequence(one_of((a, b)), tail)
    parts = []
    if low[1:] != "0" * n:
        parts.append(sequence(one_of((a, a)), _digits(low[1:], "9" * n)))
        a += 1
    if high[1:] != "9" * n:
        parts.append(sequence(one_of((b, b)), _digits("0" * n, high[1:])))
        b -= 1
    if a <= b:
        parts.append(sequence(one_of((a, b)), repeat(DIGIT, n, n)))
    return either(*parts)


def string(
    least: int = 0, most: int | None = None, pattern: str | None = None
) -> Expression:
    r"""Return the strings of some lengths, with something found in them.

    Without a pattern a character may have any of its spellings, with one
    only the shortest.

    Args:
        least: how many characters.
        most: how many characters; None sets no bound.
        pattern: a regular expression.

    Raises:
        ValueError: the pattern is not regular.
    """
    if pattern is None:
        inside = repeat(any_json_character(), least, most)
    else:
        inside = parse_search(pattern, json_characters)
        if least or most is not None:
            one = json_characters(tuple(ALL))
            inside = both(inside, repeat(one, least, most))
    return terminal(sequence(QUOTE, inside, QUOTE))


def string_literal(text: str) -> bytes:
    """Return a string in its shortest spelling, with its quotes.

    Args:
        text: without lone surrogates.
    """
    return b'"' + b"".join(map(spelled, text)) + b'"'


def name_other_than(names: Iterable[str]) -> Expression:
    """Return the strings, in their shortest spelling, that are none of some.

    Args:
        names: the strings that are taken.
    """
    return terminal(sequence(QUOTE, _other(frozenset(names)), QUOTE))


def _other(names: frozenset[str]) -> Expression:
    """Return what is none of the names: it leaves each of them somewhere."""
    starts = sorted({name[0] for name in names if name})
    taken = [(ord(start), ord(start)) for start in starts]
    one = json_characters(tuple(ALL))
    rest = json_characters(_gaps(taken))
    parts = [sequence(rest, repeat(one, 0, None))]
    if "" not in names:
        parts.append(EMPTY)
    for start in starts:
        behind = {name[1:] for name in names if name[:1] == start}
        parts.append(
            sequence(literal(spelled(start)), _other(frozenset(behind)))
        )
    return either(*parts)


def _gaps(taken: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(without(ALL, taken))


def constant(value: Any, gap: Expression) -> Expression:
    """Return one value.

    Args:
        value: of JSON.
        gap: what may stand behind a colon and a comma.

    Raises:
        ValueError: it holds what JSON cannot say.
    """
    if isinstance(value, list):
        return listed("[", [constant(v, gap) for v in value], "]", gap)
    if isinstance(value, dict):
        members = [member(k, constant(v, gap), gap) for k, v in value.items()]
        return listed("{", members, "}", gap)
    return literal(scalar(value))


def scalar(value: Any) -> bytes:
    """Return the shortest spelling of what is no array and no object.

    Args:
        value: of JSON; a number without a fraction is written as an integer.

    Raises:
        ValueError: JSON cannot say it.
    """
    if isinstance(value, str):
        try:
            return string_literal(value)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the string {value!r} holds a lone surrogate, which UTF-8 "
                "cannot say; write the character itself"
            ) from error
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # 1.0 and 1 are one number
    return json.dumps(value, allow_nan=False).encode()


def member(name: str, value: Expression, gap: Expression) -> Expression:
    """Return a member of an object: a name, a colon, a value."""
    return sequence(literal(string_literal(name) + b":"), gap, value)


def listed(
    start: str, items: Sequence[Expression], end: str, gap: Expression
) -> Expression:
    """Return items between brackets, with commas between them."""
    comma = sequence(literal(b","), gap)
    parts = [
        part for item in items for part in (comma, item)
    ][1:]  # fmt: skip
    return sequence(literal(start.encode()), *parts, literal(end.encode()))
