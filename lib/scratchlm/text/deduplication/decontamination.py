"""Test questions found in training text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt64

from scratchlm.foundation.arguments import not_one_string
from scratchlm.foundation.arrays import spans
from scratchlm.foundation.parallel import batches
from scratchlm.text.deduplication.minhash import text_blocks
from scratchlm.text.deduplication.shingles import shingle, unit_hashes

_FILTER = 22  # bits of a table that turns away most n-grams unsearched


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """A document that quotes a test item.

    Args:
        document: its number, counted from 0.
        item: the number of the test item.
        share: which part of the item's n-grams the document contains.
    """

    document: int
    item: int
    share: float


class Decontaminator:
    """Finds documents that quote a benchmark.

    Words are compared as shingles are: without case and punctuation.

    Args:
        items: the questions of a test, best without their instructions.
        size: words in an n-gram.
        shortest: an item of fewer words than ``size`` has to be quoted in
            full; one of fewer words than this is not looked for, since
            ordinary text contains it by chance.

    Raises:
        ValueError: ``items`` is one string, or a size is out of range.

    Source: Brown et al. 2020, "Language Models are Few-Shot Learners",
    appendix C (n-grams of 13 words, and of 8 or more for short items).
    """

    def __init__(
        self, items: Iterable[str], size: int = 13, shortest: int = 8
    ):
        not_one_string(items, "items")
        if not 1 <= shortest <= size:
            raise ValueError(
                f"shortest is {shortest} and size {size}; give 1 or more, "
                "and no longer a shortest than the size"
            )
        texts = list(items)
        counts = np.diff(unit_hashes(texts)[1])
        self.size = size
        self.too_short = np.flatnonzero(counts < shortest)
        self.n_items = len(texts)
        # An item of full size is found by any of its n-grams; a shorter one
        # is a single n-gram, of its own length.
        groups = {n: counts == n for n in range(shortest, size)}
        groups[size] = counts >= size
        self._tables = [
            _Table(texts, wanted, length)
            for length, wanted in groups.items()
            if wanted.any()
        ]

    def find(self, texts: Iterable[str]) -> Iterator[Contamination]:
        """Every document and test item that share an n-gram, in order.

        Args:
            texts: the corpus, read as it is needed.

        Raises:
            ValueError: ``texts`` is one string.
        """
        not_one_string(texts)
        return self._find(texts)

    def _find(self, texts: Iterable[str]) -> Iterator[Contamination]:
        before = 0
        for batch in batches(texts):
            for block in text_blocks(batch):
                found = [
                    match
                    for table in self._tables
                    for match in table.matches(block)
                ]
                for document, item, share in sorted(found):
                    yield Contamination(
                        document=before + document, item=item, share=share
                    )
                before += len(block)

    def contaminated(self, texts: Sequence[str]) -> Bool[np.ndarray, "n_docs"]:
        """Whether each document quotes some item.

        Raises:
            ValueError: ``texts`` is one string.
        """
        bad = np.zeros(len(texts), bool)
        bad[[match.document for match in self.find(texts)]] = True
        return bad


class _Table:
    """The n-grams of some items, each with the items that contain it."""

    def __init__(
        self,
        texts: Sequence[str],
        wanted: Bool[np.ndarray, "n_items"],
        length: int,
    ):
        self.length = length
        grams = shingle(texts, length)
        owner = np.repeat(np.arange(len(texts)), np.diff(grams.offsets))
        keep = wanted[owner]
        pairs = np.unique(
            np.stack([grams.hashes[keep], owner[keep].astype(np.uint64)], 1),
            axis=0,
        )
        self.hashes, self.items = pairs[:, 0], pairs[:, 1].astype(np.int64)
        self.sizes = np.bincount(self.items, minlength=len(texts))
        self.filter = np.zeros(1 << _FILTER, bool)
        self.filter[self._short(self.hashes)] = True

    def matches(
        self, texts: Sequence[str]
    ) -> Iterator[tuple[int, int, float]]:
        """Document, item, and the share of its n-grams, for each match."""
        grams = shingle(texts, self.length)
        at = np.flatnonzero(self.filter.take(self._short(grams.hashes)))
        hashes = grams.hashes[at]
        low = np.searchsorted(self.hashes, hashes)
        counts = np.searchsorted(self.hashes, hashes, "right") - low
        place = spans(low, counts)
        documents = np.searchsorted(grams.offsets, at, "right") - 1
        found = np.unique(
            np.stack([np.repeat(documents, counts), place], 1), axis=0
        )
        pairs = np.stack([found[:, 0], self.items[found[:, 1]]], 1)
        pairs, shared = np.unique(pairs, axis=0, return_counts=True)
        share = shared / self.sizes[pairs[:, 1]]
        return zip(*pairs.T.tolist(), share.tolist(), strict=True)

    def _short(
        self, hashes: UInt64[np.ndarray, "n"]
    ) -> UInt64[np.ndarray, "n"]:
        return hashes >> np.uint64(64 - _FILTER)
