r"""Regular expressions, as far as they are regular.

What stands in a pattern means the same here, in ECMA 262 and in Python's
``re``: where these differ, the smaller set is taken. ``\d``, ``\w`` and
``\s`` are ASCII; their complements, on which the two disagree, are refused.
"""

from collections.abc import Callable
from string import hexdigits

from scratchlm.inference.constrained.characters import (
    ALL,
    Ranges,
    merged,
    utf8,
    without,
)
from scratchlm.inference.constrained.expression import (
    EMPTY,
    Expression,
    either,
    repeat,
    sequence,
)

CLASSES: dict[str, Ranges] = {
    "d": [(0x30, 0x39)],
    "w": [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
    "s": [(0x09, 0x0D), (0x20, 0x20)],
}
CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11}
# Line ends of ECMA 262, which its dot leaves out; Python's lacks only \n.
LINE_ENDS: Ranges = [(10, 10), (13, 13), (0x2028, 0x2029)]
MOST_REPEATS = 100_000  # guessed: a bound that no one reaches by intent


def parse_pattern(
    source: str, character: Callable[[Ranges], Expression] = utf8
) -> Expression:
    """Return the expression of a regular expression that matches all.

    Args:
        source: the regular expression.
        character: how one character of some code points is spelled.

    Raises:
        ValueError: it is malformed, or uses what is not regular.
    """
    return _Parser(source, character).whole(anchored=True)


def parse_search(
    source: str, character: Callable[[Ranges], Expression] = utf8
) -> Expression:
    """Return the texts in which a regular expression is found somewhere.

    ``^`` at its start and ``$`` at its end tie it to the ends of the text.

    Args:
        source: the regular expression.
        character: how one character of some code points is spelled.

    Raises:
        ValueError: it is malformed, or uses what is not regular.
    """
    return _Parser(source, character).whole(anchored=False)


class _Parser:
    """Reads a regular expression by recursive descent."""

    def __init__(self, source: str, character: Callable[[Ranges], Expression]):
        self.source = source
        self.character = character
        self.at = 0

    def whole(self, *, anchored: bool) -> Expression:
        anything = repeat(self.character(tuple(ALL)), 0, None)
        around = EMPTY if anchored else anything
        options = []
        while True:
            before = EMPTY if self._take("^") else around
            parts = self._sequence(within=False)
            behind = EMPTY if self._take("$") else around
            options.append(sequence(before, parts, behind))
            if not self._take("|"):
                break
        if self.at < len(self.source):
            raise self._wrong(f"{self._next!r} stands alone")
        return either(*options)

    @property
    def _next(self) -> str:
        return self.source[self.at : self.at + 1]

    def _take(self, text: str) -> bool:
        found = self.source.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def _wrong(self, why: str) -> ValueError:
        return ValueError(
            f"the pattern {self.source!r} cannot be used: at character "
            f"{self.at}, {why}; use literals, classes, groups, | and "
            "counts, with ^ and $ only at the ends"
        )

    def _options(self) -> Expression:
        options = [self._sequence(within=True)]
        while self._take("|"):
            options.append(self._sequence(within=True))
        return either(*options)

    def _sequence(self, *, within: bool) -> Expression:
        parts: list[Expression] = []
        while self._next and self._next not in "|)":
            if self._next == "$" and not within:
                break
            parts.append(self._counted())
        return sequence(*parts)

    def _counted(self) -> Expression:
        item = self._atom()
        while self._next and self._next in "*+?{":
            least, most = self._counts()
            if self._next == "?":
                raise self._wrong("a lazy count; which texts match is equal")
            item = repeat(item, least, most)
        return item

    def _counts(self) -> tuple[int, int | None]:
        sign, self.at = self._next, self.at + 1
        if sign != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        end = self.source.find("}", self.at)
        inside = self.source[self.at : end] if end > 0 else ""
        low, comma, high = inside.partition(",")
        if not low.isdecimal() or not (high.isdecimal() or not high):
            raise self._wrong("'{' begins no count")
        self.at = end + 1
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if max(least, most or 0) > MOST_REPEATS:
            raise self._wrong(f"a count above {MOST_REPEATS}")
        if most is not None and most < least:
            raise self._wrong("a count whose end is below its start")
        return least, most

    def _atom(self) -> Expression:
        if self._take("("):
            if self._take("?") and not self._take(":"):
                raise self._wrong("'(?' begins what is not regular")
            inner = self._options()
            if not self._take(")"):
                raise self._wrong("a ')' is missing")
            return inner
        if self._take("["):
            return self.character(tuple(self._class()))
        if self._take("."):
            return self.character(tuple(without(ALL, LINE_ENDS)))
        if self._next in "*+?{}]^$":
            raise self._wrong(f"{self._next!r} has no place")
        return self.character(tuple(self._escaped_or_plain()))

    def _class(self) -> Ranges:
        negated = self._take("^")
        found: list[tuple[int, int]] = []
        while not self._take("]"):
            if not self._next:
                raise self._wrong("a ']' is missing")
            if self._next == "[":
                raise self._wrong("'[' within a class needs a backslash")
            low = self._escaped_or_plain()
            ranged = self.source[self.at : self.at + 2]
            if ranged[:1] == "-" and ranged[1:] not in ("", "]"):
                self.at += 1
                high = self._escaped_or_plain()
                if len(low) != 1 or low[0][0] != low[0][1] or len(high) != 1:
                    raise self._wrong("a range without two ends")
                if high[0][1] < low[0][0]:
                    raise self._wrong("a range whose end is below its start")
                low = [(low[0][0], high[0][1])]
            found += low
        if not found:
            raise self._wrong("an empty class")
        return without(ALL, found) if negated else merged(found)

    def _escaped_or_plain(self) -> Ranges:
        if not self._take("\\"):
            point, self.at = ord(self._next), self.at + 1
            return [(point, point)]
        name, self.at = self._next, self.at + 1
        if name in CLASSES:
            return CLASSES[name]
        if name in CONTROLS:
            return [(CONTROLS[name], CONTROLS[name])]
        if name in ("x", "u"):
            n = 2 if name == "x" else 4
            digits = self.source[self.at : self.at + n]
            if len(digits) < n or set(digits) - set(hexdigits):
                raise self._wrong(f"\\{name} needs {n} hexadecimal digits")
            point = int(digits, 16)
            self.at += n
            return [(point, point)]
        if not name or name.isalnum():
            raise self._wrong(f"'\\{name}' is not supported")
        return [(ord(name), ord(name))]
