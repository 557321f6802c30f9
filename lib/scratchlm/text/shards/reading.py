"""Token shards, read without copying.

The documents' tokens stand one after another, over the borders of files; a
position counts from the first token of the first shard.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int64, Integer, UInt
from numpy.lib.stride_tricks import as_strided

from scratchlm.foundation.arrays import spans
from scratchlm.text.shards.manifest import (
    MANIFEST,
    Manifest,
    Tokenizer,
    check_files,
)


class TokenShards:
    """The documents of a folder of shards, as tokens.

    ``len`` counts documents; an index gives one document's tokens, as stored
    and with the token that ends it; iteration gives all in order. Files are
    mapped into memory, so that what is read is what is loaded, processes on
    one machine share it, and no copy is made until one is asked for.

    Args:
        folder: what :func:`scratchlm.text.shards.writing.write_shards` wrote.
        tokenizer: if given, must be the one that made the shards.
        verify: read every byte and compare its hash. The size of each file
            is always compared, in microseconds, and finds a copy that broke
            off; a flipped bit is found by the hash alone, at the speed of
            the disk. Ask for it after a copy, not at every start.

    Raises:
        ValueError: the folder holds no finished shards, a file is missing,
            truncated or altered, or the tokenizer is another. The message
            names the file.
    """

    def __init__(
        self,
        folder: str | Path,
        tokenizer: Tokenizer | None = None,
        *,
        verify: bool = False,
    ):
        self.folder = Path(folder)
        self.manifest = Manifest.read(self.folder)
        if not self.manifest.complete:
            raise ValueError(
                f"{self.folder} is not finished: it holds "
                f"{self.manifest.n_documents} documents so far; run the "
                "command that began it again, and it goes on from there"
            )
        if tokenizer is not None:
            self._refuse_other(tokenizer)
        check_files(self.folder, self.manifest, verify=verify)
        shards = self.manifest.shards
        dtype = self.manifest.settings.dtype
        self._tokens = [
            _mapped(self.folder / s.tokens, dtype, s.n_tokens) for s in shards
        ]
        self._offsets = [
            _mapped(self.folder / s.offsets, "<u8", s.n_documents + 1)
            for s in shards
        ]
        self._starts = _from_zero([s.n_tokens for s in shards])
        # -1 ends what lies before the first shard or behind the last.
        self._ends = np.append(self._starts[1:], -1)
        self._first = _from_zero([s.n_documents for s in shards])
        for shard, offsets in zip(shards, self._offsets, strict=True):
            if offsets[0] != 0 or offsets[-1] != shard.n_tokens:
                raise ValueError(
                    f"{self.folder / shard.offsets} was altered: it does not "
                    f"span its {shard.n_tokens} tokens; copy it again, or "
                    "write the shards again"
                )
        self._join()
        self._window = self._flat[:0].reshape(0, 0)

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, index: int) -> UInt[np.ndarray, "T"]:
        number = range(len(self))[index]  # raises IndexError, takes -1
        shard = int(np.searchsorted(self._first, number, "right")) - 1
        local = number - int(self._first[shard])
        start, stop = self._offsets[shard][local : local + 2].tolist()
        return self._tokens[shard][start:stop]

    def __iter__(self) -> Iterator[UInt[np.ndarray, "T"]]:
        for tokens, offsets in zip(self._tokens, self._offsets, strict=True):
            for i in range(len(offsets) - 1):
                start, stop = offsets[i : i + 2].tolist()
                yield tokens[start:stop]

    @property
    def n_tokens(self) -> int:
        """Tokens in all shards."""
        return int(self._starts[-1])

    @property
    def end_id(self) -> int | None:
        """The id of the token that ends each document, or None."""
        return self.manifest.settings.end_id

    @property
    def fingerprint(self) -> str:
        """A hash of the content, 64 hex digits."""
        parts = [entry[2] for entry in self.manifest.files()]
        parts.append(self.manifest.settings.tokenizer)
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def document_starts(self) -> Int64[np.ndarray, "D1"]:
        """Where each document begins, and where the last one ends.

        Returns:
            One position more than there are documents; 8 bytes each.
        """
        parts = [
            start + offsets[:-1].astype(np.int64)
            for start, offsets in zip(
                self._starts.tolist(), self._offsets, strict=False
            )
        ]
        return np.concatenate([*parts, self._starts[-1:]])

    def read(self, start: int, stop: int) -> UInt[np.ndarray, "T"]:
        """Tokens from one position up to another.

        Returns:
            ``stop - start`` tokens: a view where they lie in one shard, a
            copy where they cross a border.

        Raises:
            ValueError: the range is not within the shards.
        """
        self._refuse_outside(start, stop)
        parts = []
        shard = int(np.searchsorted(self._starts, start, "right")) - 1
        while start < stop:
            begin, end = self._starts[shard : shard + 2].tolist()
            until = min(stop, end)
            parts.append(self._tokens[shard][start - begin : until - begin])
            start, shard = until, shard + 1
        if len(parts) == 1:
            return parts[0]
        empty = np.zeros(0, self.manifest.settings.dtype)
        return np.concatenate([*parts, empty])

    def windows(
        self, starts: Int[np.ndarray, "B"], length: int
    ) -> Int64[np.ndarray, "B length"]:
        """Equally long ranges, gathered together.

        Args:
            starts: positions, at least ``length`` before the end.
            length: tokens of each range.

        Raises:
            ValueError: a range is not within the shards.
        """
        shards = np.searchsorted(self._starts, starts, "right") - 1
        cross = starts + length > self._ends[shards]
        if cross.any():
            return self._windows_across(starts, length, cross)
        if length != self._window.shape[1]:
            # Overlapping views of one array: numpy copies a row at a time.
            self._window = as_strided(
                self._flat,
                (max(len(self._flat) - length + 1, 0), length),
                self._flat.strides * 2,
                writeable=False,
            )
        rows = self._window[starts + self._shifts[shards]]
        return np.asarray(rows.astype(np.int64))

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another.

        Args:
            starts: positions.
            lengths: tokens of each; no range leaves its document.

        Raises:
            ValueError: a range is not within the shards.
        """
        if starts.size:
            last = int((starts + lengths).max())
            self._refuse_outside(int(starts.min()), last)
        shards = np.searchsorted(self._starts, starts, "right") - 1
        shards = np.minimum(shards, len(self._shifts) - 1)  # empty, at the end
        places = spans(starts + self._shifts[shards], lengths)
        return np.asarray(self._flat[places].astype(np.int64))

    def _refuse_outside(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.n_tokens:
            raise ValueError(
                f"there are no tokens from {start} to {stop}; the shards of "
                f"{self.folder} hold {self.n_tokens}"
            )

    def _windows_across(
        self,
        starts: Int[np.ndarray, "B"],
        length: int,
        cross: Bool[np.ndarray, "B"],
    ) -> Int64[np.ndarray, "B length"]:
        """Windows some of which cross the border of a file."""
        out = np.empty((len(starts), length), np.int64)
        for row in np.flatnonzero(cross).tolist():
            start = int(starts[row])
            out[row] = self.read(start, start + length)
        if not cross.all():
            out[~cross] = self.windows(starts[~cross], length)
        return out

    def _join(self) -> None:
        """Make one array of all files, by where they lie in memory.

        Mapped files stand anywhere in one address space, each on a whole
        page. An array that begins at the lowest reaches all of them; the
        shifts lead from a position to its place there, and what lies between
        files is never read.
        """
        mapped = [tokens for tokens in self._tokens if len(tokens)]
        size = self.manifest.settings.token_bytes
        first = min(mapped, key=_address, default=self._tokens[0])
        past = max((_address(t) + t.nbytes for t in mapped), default=0)
        self._flat = as_strided(
            first,
            (max(past - _address(first), 0) // size,),
            (size,),
            writeable=False,
        )
        places = [
            (_address(t) - _address(first)) // size for t in self._tokens
        ]
        self._shifts = np.array(places, np.int64) - self._starts[:-1]

    def __reduce__(self) -> tuple[Any, ...]:
        # By its folder: a pickled memory map would carry all it maps.
        return type(self), (str(self.folder),)

    def _refuse_other(self, tokenizer: Tokenizer) -> None:
        made_by = self.manifest.settings.tokenizer
        if tokenizer.fingerprint != made_by:
            raise ValueError(
                f"{self.folder / MANIFEST}: the shards were made by the "
                f"tokenizer {made_by[:12]}, and this one is "
                f"{tokenizer.fingerprint[:12]}; load the tokenizer that made "
                "them, or write shards with this one into another folder"
            )


def _mapped(path: Path, dtype: str, n: int) -> Integer[np.ndarray, "_"]:
    if n == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r"))


def _from_zero(counts: list[int]) -> Int64[np.ndarray, "_"]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _address(array: Integer[np.ndarray, "_"]) -> int:
    return int(array.__array_interface__["data"][0])
