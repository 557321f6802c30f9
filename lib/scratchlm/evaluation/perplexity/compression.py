"""Texts as a file that only the same model can read.

An arithmetic coder in whole numbers writes the tokens with the
probabilities of a model. Writer and reader must see the same
probabilities to the last bit, so both read token by token, in the same
batches.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from scratchlm.inference.cache.generate import step
from scratchlm.inference.cache.kv_cache import cache_for

BITS = 62  # of the interval's ends
HALF, QUARTER = 1 << (BITS - 1), 1 << (BITS - 2)
TOTAL = 1 << 32  # into which the probabilities of a token are cut
_HEADER = struct.Struct(">III")  # documents, rows of a batch, checksum


class _Interval:
    """What all tokens so far have left of the numbers from 0 to 1.

    Its ends are whole numbers of ``BITS`` bits. Bits that are certain are
    shifted out, so that they stay as precise.
    """

    def __init__(self) -> None:
        self.low, self.high = 0, (1 << BITS) - 1

    def narrow(self, start: int, stop: int) -> Iterator[int]:
        """Take the part of a token, and yield what each doubling subtracts.

        Args:
            start: where its part begins, of ``TOTAL``.
            stop: where its part ends.
        """
        width = self.high - self.low + 1
        self.high = self.low + width * stop // TOTAL - 1
        self.low += width * start // TOTAL
        while True:
            if self.high < HALF:
                off = 0
            elif self.low >= HALF:
                off = HALF
            elif self.low >= QUARTER and self.high < HALF + QUARTER:
                off = QUARTER  # the ends lie on both sides of the middle
            else:
                return
            self.low, self.high = 2 * (self.low - off), 2 * (self.high - off)
            self.high += 1
            yield off


class BitWriter(_Interval):
    """Narrow an interval, and write the bits that have become certain.

    Source: Witten, Neal and Cleary 1987, "Arithmetic Coding for Data
    Compression".
    """

    def __init__(self) -> None:
        super().__init__()
        self.pending = 0
        self.bits: list[int] = []

    def write(self, start: int, stop: int) -> None:
        """Write a token.

        Args:
            start: where its part of the interval begins, of ``TOTAL``.
            stop: where its part ends.
        """
        for off in self.narrow(start, stop):
            if off == QUARTER:
                # Which bit comes is open, but the one behind it will be the
                # other one.
                self.pending += 1
            else:
                self._put(int(off == HALF))

    def finish(self) -> bytes:
        """Return all bits, with enough more to name the interval."""
        self.pending += 1
        self._put(int(self.low >= QUARTER))
        return np.packbits(self.bits).tobytes()

    def _put(self, bit: int) -> None:
        self.bits += [bit, *[1 - bit] * self.pending]
        self.pending = 0


class BitReader(_Interval):
    """Follow the interval that a :class:`BitWriter` narrowed.

    Args:
        data: what it wrote.
    """

    def __init__(self, data: bytes):
        super().__init__()
        self.bits = np.unpackbits(np.frombuffer(data, np.uint8)).tolist()
        self.at = self.code = 0
        for _ in range(BITS):
            self._pull()

    def where(self) -> int:
        """Return which of ``TOTAL`` parts the text lies in."""
        width = self.high - self.low + 1
        return ((self.code - self.low + 1) * TOTAL - 1) // width

    def read(self, start: int, stop: int) -> None:
        """Go on behind a token.

        Args:
            start: where its part of the interval begins, of ``TOTAL``.
            stop: where its part ends.
        """
        for off in self.narrow(start, stop):
            self.code -= off
            self._pull()

    def _pull(self) -> None:
        bit = self.bits[self.at] if self.at < len(self.bits) else 0
        self.code, self.at = 2 * self.code + bit, self.at + 1


def shares(
    logits: Float[Tensor, "B V"],
) -> Int64[np.ndarray, "B V1"]:
    """Cut ``TOTAL`` into a share for each token, none of them empty.

    Args:
        logits: of the next token, for each row.

    Returns:
        Where the share of each token begins, and where the last one ends.
    """
    z = logits.double().cpu().numpy()
    p = np.exp(z - z.max(-1, keepdims=True))
    below = np.cumsum(p, -1)
    below /= below[:, -1:]
    n = below.shape[1]
    ends = np.floor(below * (TOTAL - n)).astype(np.int64)
    return np.pad(ends + np.arange(1, n + 1), ((0, 0), (1, 0)))


def compress(
    model: nn.Module,
    documents: Sequence[Sequence[int]],
    *,
    start_id: int,
    end_id: int,
    n_rows: int = 64,
) -> bytes:
    """Write documents as a file of about ``-log2 p`` bits.

    Args:
        model: a causal transformer in eval mode.
        documents: ids, without start and end.
        start_id: what a text begins behind.
        end_id: what a text ends with, so that the reader knows.
        n_rows: documents that are written side by side.

    Raises:
        ValueError: a document is longer than the model reads, or holds the
            token that ends it.

    Source: Deletang et al. 2024, "Language Modeling Is Compression".
    """
    for number, document in enumerate(documents):
        if len(document) >= model.config.max_tokens:  # type: ignore
            raise ValueError(
                f"document {number} has {len(document)} tokens, and with "
                "start or end it is longer than the model reads; cut it"
            )
        if end_id in document:
            raise ValueError(
                f"document {number} holds token {end_id}, which ends it; cut "
                "it there"
            )
    writer = BitWriter()

    def write(row: int, written: int, ends: Int64[np.ndarray, " V1"]) -> int:
        token = [*documents[row], end_id][written]
        writer.write(int(ends[token]), int(ends[token + 1]))
        return token

    rows = _Rows(n=len(documents), at_once=n_rows)
    rows.follow(model, start_id, end_id, write)
    head = _HEADER.pack(len(documents), n_rows, _checksum(documents))
    return head + writer.finish()


def decompress(
    model: nn.Module, data: bytes, *, start_id: int, end_id: int
) -> list[list[int]]:
    """Read what :func:`compress` wrote.

    Args:
        model: the one that it was written with, on a machine that computes
            the same to the last bit.
        data: the file.
        start_id: as it was written.
        end_id: as it was written.

    Raises:
        ValueError: the file is damaged, or was written with another model
            or on another kind of machine.
    """
    wrong = (
        "the file does not say what was written: it is damaged, or the "
        "model, its number type or the machine are not those that wrote it"
    )
    if len(data) < _HEADER.size:
        raise ValueError(wrong)
    n, n_rows, checksum = _HEADER.unpack_from(data)
    if n_rows < 1:
        raise ValueError(wrong)
    reader = BitReader(data[_HEADER.size :])
    found: list[list[int]] = [[] for _ in range(n)]

    def read(row: int, written: int, ends: Int64[np.ndarray, " V1"]) -> int:
        token = int(np.searchsorted(ends, reader.where(), "right")) - 1
        reader.read(int(ends[token]), int(ends[token + 1]))
        if token != end_id:
            found[row].append(token)
        if written >= model.config.max_tokens:  # type: ignore
            raise ValueError(wrong)
        return token

    _Rows(n=n, at_once=n_rows).follow(model, start_id, end_id, read)
    if _checksum(found) != checksum:
        raise ValueError(wrong)
    return found


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """How many texts there are, and how many are read side by side."""

    n: int
    at_once: int

    def follow(
        self,
        model: Any,
        start_id: int,
        end_id: int,
        token_of: Callable[[int, int, Any], int],
    ) -> None:
        """Ask for each row's next token, and show what share each has.

        A row that has ended leaves, for the writer as for the reader.
        """
        for begin in range(0, self.n, self.at_once):
            live = list(range(begin, min(self.n, begin + self.at_once)))
            self._follow_some(model, live, (start_id, end_id), token_of)

    def _follow_some(
        self,
        model: Any,
        live: list[int],
        ids: tuple[int, int],
        token_of: Callable[[int, int, Any], int],
    ) -> None:
        start_id, end_id = ids
        device = next(model.parameters()).device
        cache, last, written = cache_for(model), [start_id] * len(live), 0
        while live:
            tokens = torch.tensor(last, device=device)[:, None]
            ends = shares(step(model, tokens, cache))
            last = [
                token_of(row, written, each)
                for row, each in zip(live, ends, strict=True)
            ]
            stay = [i for i, token in enumerate(last) if token != end_id]
            if len(stay) < len(live):
                cache.keep(torch.tensor(stay, dtype=torch.long, device=device))
            live = [live[i] for i in stay]
            last, written = [last[i] for i in stay], written + 1


def _checksum(documents: Sequence[Sequence[int]]) -> int:
    rows = (np.asarray([*each, -1], np.int64) for each in documents)
    return zlib.crc32(b"".join(row.tobytes() for row in rows))
