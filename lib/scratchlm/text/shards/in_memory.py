"""Token ids that are in memory already, as rows.

What fits into memory needs no shards on a disk: the same rows, in the same
order, with the same state to resume from.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Int, Int64, Integer

from scratchlm.text.shards.kernels.joined_maps import JoinedMaps
from scratchlm.text.shards.rows import Batch, read_by_documents
from scratchlm.text.shards.token_maps import TokenMaps

Ids: TypeAlias = Sequence[int] | Integer[np.ndarray, "_"]
_HIGHEST = np.iinfo(np.uint32).max


class MemoryTokens:
    """Documents as lists or arrays of ids, for rows to be cut from.

    :class:`ChoppedRows <scratchlm.text.shards.rows.ChoppedRows>` and
    :class:`PackedRows <scratchlm.text.shards.rows.PackedRows>` take them as
    they take shards. Four bytes a token.

    Args:
        documents: the ids of each.
        end_id: the id that ends a document; one that does not end in it
            gets it. None for none.
        maps: reads the ids, the faster or the plain way.

    Raises:
        ValueError: there are no documents, or an id is none.
    """

    def __init__(
        self,
        documents: Iterable[Ids],
        end_id: int | None = None,
        *,
        maps: type[TokenMaps] = JoinedMaps,
    ):
        parts, lengths = [], []
        for number, document in enumerate(documents):
            ids = _checked(document, f"document {number}")
            if end_id is not None and (not len(ids) or ids[-1] != end_id):
                ids = np.append(ids, _checked([end_id], "end_id"))
            parts.append(ids)
            lengths.append(len(ids))
        if not parts:
            raise ValueError("there are no documents; give one or more")
        tokens = np.concatenate(parts)
        self.name, self.end_id = "the documents in memory", end_id
        self._starts = np.cumsum([0, *lengths], dtype=np.int64)
        self._maps = maps([tokens], self.name)
        about = hashlib.sha256(f"{end_id} {lengths}".encode())
        about.update(tokens.astype("<u4").data)
        self.fingerprint = about.hexdigest()

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def n_tokens(self) -> int:
        """Tokens in all documents."""
        return len(self._maps)

    def document_starts(self) -> Int64[np.ndarray, "D1"]:
        """Where each document begins, and where the last one ends."""
        return self._starts

    def windows(
        self, starts: Int[np.ndarray, "B"], length: int
    ) -> Int64[np.ndarray, "B length"]:
        """Equally long ranges, each a row, as shards give them."""
        return self._maps.windows(starts, length)

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another, as shards give them."""
        return self._maps.ranges(starts, lengths)


class ArrayRows:
    """Rows that are cut already: an array of ids with a row for each.

    Args:
        rows: T + 1 ids each, since the targets are the ids one later.
        end_id: the id that ends a document; with it the batches say which
            document each token is of, and where in it.

    Raises:
        ValueError: a row has fewer than two ids, or an id is none.
    """

    def __init__(
        self, rows: Integer[np.ndarray, "n_rows T1"], end_id: int | None = None
    ):
        if rows.shape[1] < 2:
            raise ValueError(
                f"the rows have {rows.shape[1]} ids; give 2 or more, for the "
                "targets are the ids one later"
            )
        _checked(rows.reshape(-1), "the array")
        self.rows, self.end_id = rows, end_id
        self.n_tokens = rows.shape[1] - 1
        self.documents = end_id is not None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def fingerprint(self) -> str:
        """A hash of what determines the rows."""
        about = f"array {self.rows.shape} {self.end_id}"
        digest = hashlib.sha256(about.encode())
        digest.update(np.ascontiguousarray(self.rows, "<i8").data)
        return digest.hexdigest()

    def gather(self, numbers: Int[np.ndarray, "B"]) -> Batch:
        """The rows of these numbers.

        Returns:
            Tokens and targets are views into one array, a copy.
        """
        both = self.rows[numbers].astype(np.int64)
        return read_by_documents(both, self.end_id)


def _checked(ids: Ids, name: str) -> Integer[np.ndarray, "_"]:
    """Ids as four bytes each."""
    try:
        found = np.asarray(ids)
    except (ValueError, OverflowError):
        found = np.empty(0, object)
    if not found.size and not len(ids):
        return np.zeros(0, np.uint32)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ValueError(
            f"{name} is {str(ids)[:40]}, which is no list of ids; give whole "
            "numbers, one list for each document"
        )
    if found.min() < 0 or found.max() > _HIGHEST:
        raise ValueError(
            f"{name} has ids from {found.min()} to {found.max()}; ids are 0 "
            f"to {_HIGHEST}"
        )
    return found.astype(np.uint32)
