"""Learning a unigram model.

Begin with far too many tokens. Fit their probabilities by expectation
maximisation, remove the tokens that the likelihood misses least, and repeat.
"""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from scratchlm.foundation.arrays import Flags
from scratchlm.text.subwords.alphabet import counted, covered
from scratchlm.text.subwords.unigram.lattice_arrays import (
    Values,
    corpus_lattices,
    token_lattices,
)
from scratchlm.text.subwords.unigram.substrings import frequent_substrings
from scratchlm.text.tokenizer.special_tokens import SpecialTokens

# As in sentencepiece: characters of a token, expected occurrences below which
# a token goes, steps of EM between two prunings, and the share that survives.
LONGEST_TOKEN = 16
LEAST = 0.5
STEPS = 2
SURVIVE = 0.75

# Seeds for each token wanted. sentencepiece starts from a million whatever the
# size; beyond this factor the held-out text gained nothing (measured here).
SEEDS = 20


def digamma(x: Values) -> Values:
    """The derivative of the logarithm of the gamma function.

    Args:
        x: positive numbers.

    Source: Abramowitz and Stegun 1964, "Handbook of Mathematical Functions",
    6.3.5 (recurrence) and 6.3.18 (asymptotic series).
    """
    x = np.asarray(x, np.float64)
    shift = np.zeros_like(x)
    for _ in range(6):  # the series is good to 1e-10 from 6 on
        small = x < 6
        shift -= np.where(small, 1 / x, 0.0)
        x = np.where(small, x + 1, x)
    inverse = 1 / (x * x)
    tail = inverse * (
        1 / 12
        - inverse
        * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132)))
    )
    result: Values = shift + np.log(x) - 0.5 / x - tail
    return result


class UnigramTrainer:
    """The state of training between two prunings.

    Single characters are never pruned: without them a piece could have no
    segmentation at all.

    Args:
        piece_counts: how often each piece occurs in the corpus; none empty.
        n_seeds: substrings to begin with, besides the single characters.
    """

    def __init__(self, piece_counts: Mapping[str, int], n_seeds: int):
        found = frequent_substrings(piece_counts, LONGEST_TOKEN, n_seeds)
        weight = np.array([*piece_counts.values()], np.int64)
        self.corpus = corpus_lattices(found, weight)
        self.alone = token_lattices(found)
        self.tokens = np.array(found.texts, object)
        self.lengths = np.array([len(text) for text in found.texts])
        scores = np.log(found.counts * self.lengths)
        self.scores = scores - np.log(np.exp(scores).sum())

    @property
    def vocabulary(self) -> dict[str, float]:
        """The score of each token, the most probable first."""
        pairs = zip(self.tokens.tolist(), self.scores.tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def step(self, *, drop: bool = True) -> float:
        """One step of expectation maximisation.

        Args:
            drop: remove the tokens that the model hardly expects.

        Returns:
            The log-likelihood of the corpus before the step, in nats.

        Source: the digamma function in place of the logarithm, which takes
        most from the rarest, as in sentencepiece: Liang and Klein 2007,
        "Structured Bayesian Nonparametric Models with Variational Inference".
        """
        counts, log_likelihood = self.corpus.expected_counts(self.scores)
        if drop:
            kept = (counts >= LEAST) | (self.lengths == 1)
            self._keep(kept)
            counts = counts[kept]
        counts = np.maximum(counts, LEAST)
        total = np.array([counts.sum()])
        self.scores = digamma(counts) - digamma(total)
        return log_likelihood

    def prune_to(self, size: int, *, progress: bool = False) -> None:
        """Remove tokens until so many are left, and fit the rest.

        Args:
            size: how many to keep.
            progress: show a progress bar.
        """
        bar = tqdm(desc="tokens pruned", disable=not progress)
        while True:
            before = len(self.tokens)
            for _ in range(STEPS):
                self.step(drop=len(self.tokens) > size)
            if len(self.tokens) <= size:
                break
            self.prune(max(size, int(SURVIVE * len(self.tokens))))
            bar.update(before - len(self.tokens))
        bar.close()

    def prune(self, size: int) -> None:
        """Keep the single characters, and the tokens missed most."""
        loss = self.losses()
        loss[self.lengths == 1] = np.inf
        order = np.lexsort((self.tokens.astype(str), -loss))
        kept = np.zeros(len(loss), np.bool_)
        kept[order[:size]] = True
        self._keep(kept | (self.lengths == 1))

    def losses(self) -> Float[np.ndarray, "V"]:
        """What the log-likelihood loses with each token, in nats.

        The occurrences of a token go to the tokens of its next best spelling.

        Source: Kudo 2018, "Subword Regularization", section 3.2; the
        estimate as in sentencepiece.
        """
        counts = self.corpus.best_counts(self.scores)
        total = counts.sum()
        n_parts = np.zeros(len(counts))
        parts = np.zeros(len(counts))
        for tokens, part in self.alone.best_paths(self.scores):
            n_parts[tokens] += 1
            parts[tokens] += np.log(
                np.maximum(counts[part] + counts[tokens], LEAST)
            )
        grown = np.log(total + counts * (n_parts - 1))
        without = parts - n_parts * grown
        with_it = np.log(np.maximum(counts, LEAST)) - np.log(total)
        losses: Values = counts * (with_it - without)
        return losses

    def _keep(self, kept: Flags) -> None:
        if kept.all():
            return
        self.corpus.keep(kept)
        self.alone.keep_pieces(kept)
        self.alone.keep(kept)
        self.tokens, self.scores = self.tokens[kept], self.scores[kept]
        self.lengths = self.lengths[kept]


def train_unigram(  # noqa: PLR0913
    texts: Iterable[str],
    vocab_size: int,
    *,
    pattern: str,
    special_tokens: Sequence[str],
    byte_fallback: bool,
    coverage: float,
    n_seeds: int | None,
    workers: int | None,
    progress: bool,
) -> dict[str, Any]:
    """Learn the fields of a tokenizer; its ``train`` says how and from what.

    Returns:
        The fields of a ``UnigramTokenizer``.
    """
    SpecialTokens.following(special_tokens, 0)  # raises on bad ones
    counts = counted(texts, pattern, workers, special_tokens)
    alphabet = covered(counts, coverage)
    n_fixed = 256 if byte_fallback else 1
    size = vocab_size - n_fixed - len(special_tokens)
    if size < len(alphabet):
        raise ValueError(
            _too_small(vocab_size, byte_fallback, alphabet, special_tokens)
        )
    trainer = UnigramTrainer(
        runs_of(counts, alphabet), SEEDS * size if n_seeds is None else n_seeds
    )
    trainer.prune_to(size, progress=progress)
    scores = trainer.vocabulary
    if len(scores) < size:
        _warn_of_few(len(scores), vocab_size)
    special = SpecialTokens.following(special_tokens, n_fixed + len(scores))
    return {
        "pattern": pattern,
        "scores": scores,
        "vocab": {token: n_fixed + i for i, token in enumerate(scores)},
        "byte_ids": tuple(range(256)) if byte_fallback else (),
        "unknown_id": None if byte_fallback else 0,
        "special_tokens": special.ids,
    }


def _warn_of_few(n_tokens: int, vocab_size: int) -> None:
    warnings.warn(
        f"the text repeats only {n_tokens} substrings worth keeping, so the "
        f"vocabulary is smaller than {vocab_size}; give more text, more "
        "seeds or a smaller vocab_size",
        stacklevel=4,
    )


def _too_small(
    vocab_size: int,
    byte_fallback: bool,
    alphabet: Collection[str],
    special_tokens: Sequence[str],
) -> str:
    fixed = "the 256 bytes" if byte_fallback else "the unknown token"
    n_fixed = 256 if byte_fallback else 1
    return (
        f"vocab_size is {vocab_size}, but {fixed}, {len(alphabet)} characters "
        f"and {len(special_tokens)} special tokens are "
        f"{n_fixed + len(alphabet) + len(special_tokens)}; give at least as "
        "many, or a smaller coverage"
    )


def runs_of(
    counts: Mapping[str, int], alphabet: Collection[str]
) -> dict[str, int]:
    """The parts of pieces between characters that get no token.

    No token holds such a character, so a segmentation of the whole is one of
    each part, and training on the parts is the same.
    """
    rare = sorted(set().union(*counts) - set(alphabet))
    if not rare:
        return dict(counts)
    cut = re.compile("|".join(map(re.escape, rare))).split
    runs: Counter[str] = Counter()
    for piece, count in counts.items():
        for run in filter(None, cut(piece)):
            runs[run] += count
    return dict(runs)
