"""Batches of documents as tokens."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt

from scratchlm.text.shards.manifest import Settings, Tokenizer


class Encoded(NamedTuple):
    """A batch of documents as tokens.

    Args:
        tokens: of all documents, one after another.
        ends: where each document ends among them.
        digests: the sha256 of each document's text, 32 bytes each.
    """

    tokens: UInt[np.ndarray, "T"]
    ends: Int64[np.ndarray, "D"]
    digests: bytes

    def part(self, start: int, stop: int) -> "Encoded":
        """The documents from one number up to another."""
        begin = int(self.ends[start - 1]) if start else 0
        return Encoded(
            self.tokens[begin : int(self.ends[stop - 1])],
            self.ends[start:stop] - begin,
            self.digests[32 * start : 32 * stop],
        )


def encode_batch(
    tokenizer: Tokenizer, settings: Settings, texts: list[str]
) -> Encoded:
    """Encode documents, each with its end behind it."""
    dtype = np.dtype(settings.dtype)
    ends = [] if settings.end_id is None else [settings.end_id]
    end = np.array(ends, np.int64)
    encoded = tokenizer.encode_arrays(texts)
    parts = [part for ids in encoded for part in (ids, end)]
    tokens = np.concatenate(parts)
    if tokens.size and tokens.max() > np.iinfo(dtype).max:  # it would wrap
        raise OverflowError(
            f"the tokenizer gave the id {tokens.max()}, and its vocabulary "
            f"has {tokenizer.vocab_size} entries"
        )
    return Encoded(
        tokens.astype(dtype),
        np.cumsum([len(ids) + len(end) for ids in encoded], dtype=np.int64),
        b"".join(map(digest_of, texts)),
    )


def digest_of(text: str) -> bytes:
    """The sha256 of a document's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def cut_full(
    encoded: Iterable[Encoded], shard_tokens: int
) -> Iterator[Encoded]:
    """Cut batches behind each document with which a shard is full."""
    held = 0
    for batch in encoded:
        done = before = 0
        while done < len(batch.ends):
            full = before + shard_tokens - held
            until = int(np.searchsorted(batch.ends, full)) + 1
            until = min(until, len(batch.ends))
            yield batch.part(done, until)
            held += int(batch.ends[until - 1]) - before
            held = 0 if held >= shard_tokens else held
            done, before = until, int(batch.ends[until - 1])
