"""Token shards, read without copying.

The documents' tokens stand one after another, over the borders of files; a
position counts from the first token of the first shard.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Int64, UInt

from scratchlm.text.shards.kernels.joined_maps import JoinedMaps
from scratchlm.text.shards.manifest import (
    MANIFEST,
    Manifest,
    Tokenizer,
    check_files,
)
from scratchlm.text.shards.token_maps import TokenMaps


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
        maps: reads the files as one sequence, the faster or the plain way.

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
        maps: type[TokenMaps] = JoinedMaps,
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
        tokens = [
            _mapped(self.folder / s.tokens, dtype, s.n_tokens) for s in shards
        ]
        self._maps = maps(tokens, f"the shards of {self.folder}")
        self._offsets = [
            _mapped(self.folder / s.offsets, "<u8", s.n_documents + 1)
            for s in shards
        ]
        counts = [s.n_documents for s in shards]
        self._first = np.cumsum([0, *counts], dtype=np.int64)
        for shard, offsets in zip(shards, self._offsets, strict=True):
            if offsets[0] != 0 or offsets[-1] != shard.n_tokens:
                raise ValueError(
                    f"{self.folder / shard.offsets} was altered: it does not "
                    f"span its {shard.n_tokens} tokens; copy it again, or "
                    "write the shards again"
                )

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, index: int) -> UInt[np.ndarray, "T"]:
        number = range(len(self))[index]  # raises IndexError, takes -1
        shard = int(np.searchsorted(self._first, number, "right")) - 1
        local = number - int(self._first[shard])
        start, stop = self._offsets[shard][local : local + 2].tolist()
        return self._maps.arrays[shard][start:stop]

    def __iter__(self) -> Iterator[UInt[np.ndarray, "T"]]:
        files = zip(self._maps.arrays, self._offsets, strict=True)
        for tokens, offsets in files:
            for i in range(len(offsets) - 1):
                start, stop = offsets[i : i + 2].tolist()
                yield tokens[start:stop]

    @property
    def name(self) -> str:
        """How messages call them: the folder."""
        return str(self.folder)

    @property
    def n_tokens(self) -> int:
        """Tokens in all shards."""
        return len(self._maps)

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
                self._maps.starts.tolist(), self._offsets, strict=False
            )
        ]
        return np.concatenate([*parts, self._maps.starts[-1:]])

    def read(self, start: int, stop: int) -> UInt[np.ndarray, "T"]:
        """Tokens from one position up to another.

        Returns:
            ``stop - start`` tokens: a view where they lie in one shard, a
            copy where they cross a border.

        Raises:
            ValueError: the range is not within the shards.
        """
        return self._maps.read(start, stop)

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
        return self._maps.windows(starts, length)

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another.

        Args:
            starts: positions.
            lengths: tokens of each.

        Raises:
            ValueError: a range is not within the shards.
        """
        return self._maps.ranges(starts, lengths)

    def __reduce__(self) -> tuple[Any, ...]:
        # By its folder: a pickled memory map would carry all it maps.
        opened = partial(type(self), maps=type(self._maps))
        return opened, (str(self.folder),)

    def _refuse_other(self, tokenizer: Tokenizer) -> None:
        made_by = self.manifest.settings.tokenizer
        if tokenizer.fingerprint != made_by:
            raise ValueError(
                f"{self.folder / MANIFEST}: the shards were made by the "
                f"tokenizer {made_by[:12]}, and this one is "
                f"{tokenizer.fingerprint[:12]}; load the tokenizer that made "
                "them, or write shards with this one into another folder"
            )


def _mapped(path: Path, dtype: str, n: int) -> UInt[np.ndarray, "_"]:
    if n == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r"))
