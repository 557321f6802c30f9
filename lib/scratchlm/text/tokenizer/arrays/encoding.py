"""Text to tokens, a block at a time.

A short piece is a number: its bytes fill two machine words. Arrays of numbers
can be looked up, and what is new can be merged, without a step of Python for
each piece.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from scratchlm.foundation.arrays import Numbers, Words, spans
from scratchlm.text.tokenizer.arrays.cutting import RULES, cut
from scratchlm.text.tokenizer.arrays.merging import ArrayMerger
from scratchlm.text.tokenizer.arrays.table import ExactTable
from scratchlm.text.tokenizer.merging import MergeRules, token_ids
from scratchlm.text.tokenizer.patterns import WHITE_SPACE
from scratchlm.text.tokenizer.streaming import SAFE_CUT, WINDOW, well_formed

# Characters (measured here): the more new pieces are merged at a time the
# better, until the arrays of a block leave the processor's cache.
BLOCK = 1 << 20
PIECES_KEPT = 500_000  # pieces remembered
SHORT = 15  # bytes in two words, less the one that holds the length
LONGEST_TOGETHER = 128  # bytes; a longer piece is merged alone

# For each length, SHORT + 1 for all that are longer: what of the two words is
# the piece's, and the length where the last byte has it.
_LENGTHS = [*range(SHORT + 1), 255]
_LOW = np.array([(1 << 8 * min(n, 8)) - 1 for n in _LENGTHS], np.uint64)
_HIGH = np.array(
    [(1 << 8 * min(max(n - 8, 0), 7)) - 1 for n in _LENGTHS], np.uint64
)
_SIZE = np.array([n << 8 * (SHORT - 8) for n in _LENGTHS], np.uint64)


# Texts between which a cut can be made safe, in the sense of SAFE_CUT.
_FIRST = re.compile(f"[^{WHITE_SPACE}/]")
_LAST = re.compile(f"[^{WHITE_SPACE}]\\n?\\Z")


class BlockEncoder:
    """Encodes long texts.

    Args:
        rules: the merges, as they apply to one piece.
        pattern: the name of the pattern that cuts the pieces.
    """

    def __init__(self, rules: MergeRules, pattern: str = "gpt2"):
        self.rules = rules
        self.begins = RULES[pattern]
        self.merger = ArrayMerger(rules)
        self._forget()

    def encode(self, text: str) -> Numbers:
        """The ids of a text. A lone surrogate is encoded as U+FFFD."""
        text = well_formed(text)
        done, ids = 0, [np.zeros(0, np.int64)]
        while done < len(text):
            block = _next_block(text, done)
            ids.append(self._encode_block(block))
            done += len(block)
        return np.concatenate(ids)

    def encode_group(self, texts: Sequence[str]) -> list[Numbers]:
        """The ids of each of the texts that :func:`groups` put together."""
        if len(texts) == 1:
            return [self.encode(texts[0])]
        parts = [part for text in texts for part in (text, _apart(text))]
        parts.pop()  # the last text may end in any way, and the data with it
        data = "".join(parts).encode()
        sizes = [len(part.encode()) for part in parts]
        borders = np.cumsum([0, *sizes])
        starts = cut(data, self.begins)
        pieces = self._number(data, starts)
        tokens = self.known.spell(pieces)
        before = np.cumsum(np.append(0, self.known.counts.take(pieces)))
        at = before[starts.searchsorted(borders)].tolist()
        bounds = zip(at[::2], at[1::2], strict=True)
        return [tokens[first:end] for first, end in bounds]

    def _encode_block(self, text: str) -> Numbers:
        data = text.encode()
        pieces = self._number(data, cut(data, self.begins))
        return self.known.spell(pieces)  # of what is known after that

    def _number(self, data: bytes, starts: Numbers) -> Numbers:
        """The number of each piece; what is new is merged and kept."""
        if max(self.known.n_pieces, self.known.n_tokens // 8) > PIECES_KEPT:
            self._forget()
        data += bytes(16)
        lengths = np.diff(starts)
        low, high = as_words(data, starts[:-1], lengths)
        pieces = self.known.short.find(low, high)
        missing = np.flatnonzero(pieces < 0)
        new = missing[lengths[missing] <= SHORT]
        self._learn(low[new], high[new])
        pieces[new] = self.known.short.find(low[new], high[new])
        long = missing[lengths[missing] > SHORT]
        bounds = zip(
            starts[long].tolist(), starts[long + 1].tolist(), strict=True
        )
        pieces[long] = self._look_up([data[i:j] for i, j in bounds])
        return pieces

    def _learn(self, low: Words, high: Words) -> None:
        """Merge short pieces that are new."""
        if not len(low):
            return
        order = np.lexsort((low, high))
        low, high = low[order], high[order]
        first = np.ones(len(low), bool)
        first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        low, high = low[first], high[first]
        letters = np.stack([low, high], axis=1).astype("<u8").view(np.uint8)
        lengths = letters[:, SHORT].astype(np.int64)
        numbers = self.known.add(*self.merger.merge(letters, lengths))
        self.known.short.add(low, high, numbers)

    def _look_up(self, pieces: list[bytes]) -> list[int]:
        """The numbers of long pieces, for which a dictionary serves."""
        known = self.known.long
        new = [
            p
            for p in set(pieces).difference(known)
            if len(p) <= LONGEST_TOGETHER
        ]
        if new:
            lengths = np.array([*map(len, new)])
            width = int(lengths.max())
            padded = b"".join(piece.ljust(width) for piece in new)
            letters = np.frombuffer(padded, np.uint8).reshape(-1, width)
            merged = self.merger.merge(letters, lengths)
            numbers = self.known.add(*merged).tolist()
            known.update(zip(new, numbers, strict=True))
        return [
            known[piece] if piece in known else self._alone(piece)
            for piece in pieces
        ]

    def _alone(self, piece: bytes) -> int:
        tokens = token_ids(self.rules.apply(piece))
        return int(self.known.add(tokens, np.array([len(tokens)]))[0])

    def _forget(self) -> None:
        """Start over with the pieces that are tokens."""
        self.known = KnownPieces()
        whole = [
            piece
            for piece in self.rules.whole
            if len(piece) <= LONGEST_TOGETHER
        ]
        if not whole:
            return
        lengths = np.array([*map(len, whole)])
        ids = token_ids("".join(map(self.rules.whole.__getitem__, whole)))
        numbers = self.known.add(ids, np.ones_like(lengths))
        starts = lengths.cumsum() - lengths
        low, high = as_words(b"".join(whole) + bytes(16), starts, lengths)
        short = lengths <= SHORT
        self.known.short.add(low[short], high[short], numbers[short])
        self.known.long.update(zip(whole, numbers.tolist(), strict=True))


class KnownPieces:
    """Pieces by number, and the tokens of each."""

    def __init__(self) -> None:
        self.short = ExactTable()
        self.long: dict[bytes, int] = {}
        self.n_pieces = self.n_tokens = 0
        self.tokens = np.zeros(1 << 12, np.int64)
        self.begins = np.zeros(1 << 12, np.int64)
        self.counts = np.zeros(1 << 12, np.int64)

    def add(self, tokens: Numbers, counts: Numbers) -> Numbers:
        """Keep the tokens of more pieces, and return the pieces' numbers."""
        first, size = self.n_pieces, self.n_tokens
        self.n_pieces += len(counts)
        self.n_tokens += len(tokens)
        self.tokens = _with_room(self.tokens, self.n_tokens)
        self.begins = _with_room(self.begins, self.n_pieces)
        self.counts = _with_room(self.counts, self.n_pieces)
        self.tokens[size : self.n_tokens] = tokens
        begins = size + counts.cumsum() - counts
        self.begins[first : self.n_pieces] = begins
        self.counts[first : self.n_pieces] = counts
        return np.arange(first, self.n_pieces)

    def spell(self, pieces: Numbers) -> Numbers:
        """The tokens of pieces, given by their numbers, in a row."""
        begins, counts = self.begins.take(pieces), self.counts.take(pieces)
        return self.tokens.take(spans(begins, counts))


def as_words(
    data: bytes, starts: Numbers, lengths: Numbers
) -> tuple[Words, Words]:
    """The bytes of each piece in two words, its length in the last byte.

    Args:
        data: the text in UTF-8, and 16 bytes more.
        starts: where each piece begins.
        lengths: bytes of each piece; one that is too long gets the length
            255, which no short piece has.
    """
    every = np.ndarray(len(data) - 7, "<u8", data, strides=(1,))
    size = np.minimum(lengths, SHORT + 1)
    low = every[starts] & _LOW.take(size)
    high = every[starts + 8] & _HIGH.take(size)
    high |= _SIZE.take(size)
    return low, high


def groups(texts: Iterable[str]) -> Iterator[list[str]]:
    """Runs of texts that can stand in one block, up to its size.

    Args:
        texts: in any order; lone surrogates in them become U+FFFD.
    """
    group: list[str] = []
    size = 0
    for text in map(well_formed, texts):
        if group and (size + len(text) > BLOCK or not _joins(group[-1], text)):
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group


def _joins(text: str, follower: str) -> bool:
    """Whether :func:`_apart` makes safe cuts between the two."""
    fits = _FIRST.match(follower) and _LAST.search(text)
    return fits is not None


def _apart(text: str) -> str:
    """What goes behind a text, so that a cut is safe on either side of it:
    at " S" or behind "S", a line end, and S again."""
    return "0\n" if text.endswith("\n") else " 0\n"


def _next_block(text: str, done: int) -> str:
    """Text up to a place where cutting changes no piece."""
    size = BLOCK
    while done + size < len(text):
        part = text[done : done + size]
        cuts = list(SAFE_CUT.finditer(part, max(0, size - WINDOW)))
        if cuts:
            return part[: cuts[-1].start()]
        size *= 2
    return text[done:]


def _with_room(array: Numbers, size: int) -> Numbers:
    if size <= len(array):
        return array
    grown = np.zeros(2 * size, array.dtype)
    grown[: len(array)] = array
    return grown
