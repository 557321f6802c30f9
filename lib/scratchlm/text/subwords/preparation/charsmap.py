"""Rules that replace stretches of text, as sentencepiece packs them.

A model file holds the rules of its normalisation, such as NFKC, as one string
of bytes: four bytes that give the size of a trie, the trie as a double array,
and then the replacements, each ended by a zero byte. Both numbers and array
are little-endian.
"""

import struct
from array import array
from sys import byteorder

# The bits of a unit of the double array. A unit that is no leaf has the byte
# that leads to it, the distance to its children, in units of 1 or 256, and a
# mark that a key ends here. A leaf holds where its replacement begins.
_LABEL = 0x800000FF
_VALUE = 0x7FFFFFFF
_ENDS = 1 << 8
_FAR = 1 << 9
_SHIFT = 10

Step = tuple[int, str | None]


class Charsmap:
    """Replacements of stretches of text.

    Args:
        data: the bytes as sentencepiece writes them.

    Raises:
        ValueError: the bytes are no such map.

    Source: Aoe 1989, "An Efficient Digital Search Algorithm by Using a
    Double-Array Structure"; the bits as in Darts-clone 0.32.
    """

    def __init__(self, data: bytes):
        size = struct.unpack_from("<I", data)[0] if len(data) > 4 else 0
        if not 4 <= size < len(data) - 3 or size % 4:
            raise ValueError(
                f"its table of replacements has {len(data)} bytes, of which "
                f"{size} should be a trie; the file is damaged"
            )
        units = array("I", data[4 : 4 + size])
        if byteorder == "big":
            units.byteswap()
        self.data = data
        self._units = units
        self._texts = data[4 + size :]
        self._steps: dict[tuple[int, str], Step | None] = {}
        self.root = self._children(0, units[0])

    def step(self, node: int, character: str) -> Step | None:
        """Go one character down the trie.

        Args:
            node: where, :attr:`root` to begin.
            character: the next character.

        Returns:
            The node below, and the replacement of the key that ends there,
            or None; None in place of both where no key goes on so.
        """
        key = node, character
        if key not in self._steps:
            self._steps[key] = self._walk(node, character.encode())
        return self._steps[key]

    def longest(self, text: str, start: int) -> tuple[int, str]:
        """The longest key that begins at a place.

        Returns:
            Where it ends, and what replaces it; where no key begins there,
            the character itself.
        """
        end, replacement = start + 1, text[start]
        node = self.root
        for at in range(start, len(text)):
            found = self.step(node, text[at])
            if found is None:
                break
            node, here = found
            if here is not None:
                end, replacement = at + 1, here
        return end, replacement

    def shortest(self, text: str) -> str | None:
        """What replaces the shortest key that begins a text, or None."""
        node = self.root
        for character in text:
            found = self.step(node, character)
            if found is None:
                return None
            node, here = found
            if here is not None:
                return here
        return None

    def _walk(self, node: int, character: bytes) -> Step | None:
        units = self._units
        unit = 0
        try:
            for byte in character:
                node ^= byte
                unit = units[node]
                if unit & _LABEL != byte:
                    return None
                node = self._children(node, unit)
            if not unit & _ENDS:
                return node, None
            begin = units[node] & _VALUE
        except IndexError:
            raise ValueError(
                "its table of replacements points outside itself; the file "
                "is damaged"
            ) from None
        end = self._texts.find(b"\0", begin)
        return node, self._texts[begin : max(begin, end)].decode()

    @staticmethod
    def _children(node: int, unit: int) -> int:
        return node ^ (unit >> _SHIFT) << (8 if unit & _FAR else 0)


def decode_utf8(data: bytes) -> str:
    """Decode bytes as sentencepiece does.

    Each byte that is no part of a character becomes one U+FFFD, where Python
    joins several that begin the same character.
    """
    parts: list[str] = []
    while True:
        try:
            return "".join([*parts, data.decode()])
        except UnicodeDecodeError as error:
            parts += [data[: error.start].decode(), "\ufffd"]
            data = data[error.start + 1 :]
