"""The lattices of many pieces at once.

The edges of all lattices lie in one array, ordered by how far into its piece
an edge ends. One step of numpy then treats every place that is so far into
its piece, in all pieces together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from scratchlm.foundation.arrays import Flags, Numbers
from scratchlm.text.subwords.unigram.substrings import Substrings

Values = Float[np.ndarray, "_"]


@dataclass(frozen=True, kw_only=True)
class Level:
    """The edges that end equally far into their pieces.

    Args:
        edges: which ones; those into one node stand side by side.
        heads: where the edges into the next node begin.
        sizes: how many edges each node has.
    """

    edges: slice
    heads: Int[np.ndarray, "_"]
    sizes: Int[np.ndarray, "_"]


class LatticeArrays:
    """Lattices as arrays of edges.

    Args:
        start: the node where each edge begins.
        end: the node where it ends.
        token: the token that it spells.
        depth: the characters from the beginning of its piece to its end.
        weight: how often each piece occurs.
        finals: the last node of each piece.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        start: Int[np.ndarray, "edges"],
        end: Int[np.ndarray, "edges"],
        token: Int[np.ndarray, "edges"],
        depth: Int[np.ndarray, "edges"],
        weight: Int[np.ndarray, "pieces"],
        finals: Int[np.ndarray, "pieces"],
    ):
        order = np.lexsort((start, end, depth))
        self.start, self.end = start[order], end[order]
        self.token, self.depth = token[order], depth[order]
        self.weight, self.finals = weight, finals
        self.begins = np.append(-1, finals[:-1]) + 1
        self.n_nodes = int(finals[-1]) + 1
        self._index()

    def _index(self) -> None:
        ends = np.flatnonzero(np.diff(self.depth)) + 1
        cuts = np.concatenate([[0], ends, [len(self.depth)]])
        self.levels: list[Level] = []
        for low, high in zip(
            cuts[:-1].tolist(), cuts[1:].tolist(), strict=True
        ):
            turns = np.flatnonzero(np.diff(self.end[low:high])) + 1
            heads = np.append(0, turns)
            sizes = np.diff(np.append(heads, high - low))
            self.levels.append(
                Level(edges=slice(low, high), heads=heads, sizes=sizes)
            )

    def keep(self, kept: Flags) -> None:
        """Drop the edges of tokens, and number the others anew.

        Args:
            kept: for each token, whether it stays.
        """
        stays = kept[self.token]
        number = np.cumsum(kept) - 1
        self.token = number[self.token[stays]]
        self.start, self.end = self.start[stays], self.end[stays]
        self.depth = self.depth[stays]
        self._index()

    def keep_pieces(self, kept: Flags) -> None:
        """Drop the lattices of pieces, and number the others anew.

        Args:
            kept: for each piece, whether it stays.
        """
        stays = kept[np.searchsorted(self.finals, self.start)]
        for name in ("start", "end", "token", "depth"):
            setattr(self, name, getattr(self, name)[stays])
        for name in ("weight", "finals", "begins"):
            setattr(self, name, getattr(self, name)[kept])
        self._index()

    def expected_counts(
        self, scores: Float[np.ndarray, "V"]
    ) -> tuple[Float[np.ndarray, "V"], float]:
        """How often the model expects each token in the corpus.

        Args:
            scores: the log-probability of each token, in nats.

        Returns:
            The expected counts, and the log-likelihood of the corpus in nats.

        Source: Kudo 2018, "Subword Regularization", section 3.2; forward and
        backward passes as in Rabiner 1989, in logarithms.
        """
        reach = np.zeros(self.n_nodes)
        share = scores[self.token]
        for level in self.levels:
            edges, heads, sizes = level.edges, level.heads, level.sizes
            terms = share[edges] + reach[self.start[edges]]
            top = np.maximum.reduceat(terms, heads)
            terms = np.exp(terms - np.repeat(top, sizes))
            sums = np.add.reduceat(terms, heads)
            reach[self.end[edges][heads]] = top + np.log(sums)
            share[edges] = terms / np.repeat(sums, sizes)
        passed = np.zeros(self.n_nodes)
        passed[self.finals] = self.weight
        for level in reversed(self.levels):
            edges = level.edges
            share[edges] *= passed[self.end[edges]]
            # No two edges of a level begin at one node.
            passed[self.start[edges]] += share[edges]
        counts = np.bincount(self.token, share, len(scores))
        return counts, float(self.weight @ reach[self.finals])

    def best_paths(
        self, scores: Float[np.ndarray, "V"]
    ) -> Iterator[tuple[Numbers, Numbers]]:
        """The tokens of the best segmentations, from the last one on.

        Args:
            scores: the log-probability of each token, in nats.

        Yields:
            Pieces, and the token of each at this step. A piece that is
            spelled out appears no more.
        """
        reach = np.zeros(self.n_nodes)
        back = np.zeros(self.n_nodes, np.int64)
        for level in self.levels:
            edges, heads = level.edges, level.heads
            terms = scores[self.token[edges]] + reach[self.start[edges]]
            top = np.maximum.reduceat(terms, heads)
            best = np.flatnonzero(terms == np.repeat(top, level.sizes))[::-1]
            reach[self.end[edges][heads]] = top
            # Of equal ones the first, which is written last, stays.
            back[self.end[edges][best]] = best + edges.start
        pieces = np.arange(len(self.finals))
        nodes = self.finals
        while len(pieces):
            taken = back[nodes]
            yield pieces, self.token[taken]
            nodes = self.start[taken]
            going = nodes != self.begins[pieces]
            pieces, nodes = pieces[going], nodes[going]

    def best_counts(
        self, scores: Float[np.ndarray, "V"]
    ) -> Float[np.ndarray, "V"]:
        """How often each token stands in the best segmentations."""
        counts = np.zeros(len(scores))
        for pieces, tokens in self.best_paths(scores):
            counts += np.bincount(tokens, self.weight[pieces], len(scores))
        return counts


def corpus_lattices(
    found: Substrings, weight: Int[np.ndarray, "pieces"]
) -> LatticeArrays:
    """The lattices of a corpus.

    Args:
        found: the substrings that are tokens, and where they stand.
        weight: how often each piece occurs.
    """
    lengths = np.diff(found.begins)
    piece = np.repeat(np.arange(len(lengths)), lengths)
    row, at = np.nonzero(found.table >= 0)
    start = at + piece[at]  # each piece has one node more than characters
    end = start + row + 1
    return LatticeArrays(
        start=start,
        end=end,
        token=found.table[row, at],
        depth=at + row + 1 - found.begins[piece[at]],
        weight=weight,
        finals=found.begins[1:] + np.arange(len(lengths)),
    )


def token_lattices(found: Substrings) -> LatticeArrays:
    """The lattice of each token's own characters, without the token itself.

    Its best path is how the model would spell the token if it had to do
    without. A single character keeps its one edge.

    Args:
        found: the substrings that are tokens, and where they stand.
    """
    lengths = np.array([len(text) for text in found.texts], np.int64)
    finals = np.cumsum(lengths + 1) - 1
    starts, ends, tokens, depths = [], [], [], []
    longest = int(lengths.max())
    for begin in range(longest):
        for size in range(1, longest - begin + 1):
            whole = (lengths == size) & (size > 1)
            fits = np.flatnonzero((lengths >= begin + size) & ~whole)
            token = found.table[size - 1, found.first[fits] + begin]
            fits, token = fits[token >= 0], token[token >= 0]
            node = finals[fits] - lengths[fits] + begin
            starts.append(node)
            ends.append(node + size)
            tokens.append(token)
            depths.append(np.full(len(fits), begin + size))
    return LatticeArrays(
        start=np.concatenate(starts),
        end=np.concatenate(ends),
        token=np.concatenate(tokens),
        depth=np.concatenate(depths),
        weight=np.ones(len(lengths), np.int64),
        finals=finals,
    )
