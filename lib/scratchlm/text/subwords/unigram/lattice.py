"""All segmentations of one text.

The places between characters are nodes, and each token that fits between two
places is an edge. A path from the first place to the last is a segmentation,
and the sum of its scores the logarithm of its probability.
"""

from collections.abc import Mapping
from ctypes import c_float
from itertools import pairwise
from math import exp, inf, isfinite, log

import numpy as np

# What sentencepiece and tokenizers take off the lowest score for a character
# that no token spells.
UNKNOWN_PENALTY = 10.0


class Scores:
    """The tokens of a unigram model.

    Args:
        of: the score of each token, a log-probability in nats.
        single: round each sum to single precision, as sentencepiece does.
            That decides between segmentations of equal probability.
        unknown: the score of a character without a token; None takes the
            lowest score less a penalty.

    Raises:
        ValueError: there is no token, one is empty, or a score is no number.
    """

    def __init__(
        self,
        of: Mapping[str, float],
        single: bool = False,
        unknown: float | None = None,
    ):
        if not of or "" in of:
            raise ValueError(
                "a unigram model needs at least one token, and none empty"
            )
        bad = [token for token, score in of.items() if not isfinite(score)]
        if bad:
            raise ValueError(
                f"the score of {bad[0]!r} is {of[bad[0]]}; give finite "
                "log-probabilities"
            )
        self.of, self.single = of, single
        self.longest = max(map(len, of))
        if unknown is None:
            unknown = min(of.values()) - UNKNOWN_PENALTY
        self.unknown = unknown

    def edges(self, text: str, end: int) -> list[tuple[int, float]]:
        """The edges into a place: where each begins, and its score.

        The longest comes first. A character that is no token has an edge of
        its own, so that there is always a path.
        """
        get, found = self.of.get, []
        for start in range(max(0, end - self.longest), end):
            score = get(text[start:end])
            if score is not None:
                found.append((start, score))
        if not found or found[-1][0] != end - 1:
            found.append((end - 1, self.unknown))
        return found


def viterbi(text: str, scores: Scores) -> list[str]:
    """The segmentation of the highest score.

    Of equal scores, the path whose last edge is the longest wins, and so on
    backwards, as in sentencepiece and tokenizers.

    Args:
        text: what to segment.
        scores: the model.

    Source: Viterbi 1967, "Error Bounds for Convolutional Codes".
    """
    best, back = [0.0], [0]
    for end in range(1, len(text) + 1):
        top, begin = -inf, 0
        for start, score in scores.edges(text, end):
            total = best[start] + score
            if scores.single:
                total = c_float(total).value
            if total > top:
                top, begin = total, start
        best.append(top)
        back.append(begin)
    return _walk_back(text, back)


def _walk_back(text: str, back: list[int]) -> list[str]:
    places = [len(text)]
    while places[-1]:
        places.append(back[places[-1]])
    return [text[a:b] for a, b in pairwise(places[::-1])]


def forward(
    text: str, scores: Scores, power: float | int = 1.0
) -> list[float]:
    """For each place, the log of the summed probability of ways to reach it.

    Args:
        text: what to segment.
        scores: the model.
        power: each probability is raised to it.

    Returns:
        One number for each place between characters, both ends included.
    """
    sums = [0.0]
    for end in range(1, len(text) + 1):
        terms = [
            sums[start] + power * score
            for start, score in scores.edges(text, end)
        ]
        # The probability itself would underflow after some hundred
        # characters; its logarithm does not.
        top = max(terms)
        sums.append(top + log(sum(exp(term - top) for term in terms)))
    return sums


def sample(
    text: str, scores: Scores, power: float | int, rng: np.random.Generator
) -> list[str]:
    """A segmentation drawn with its probability to a power.

    Args:
        text: what to segment.
        scores: the model.
        power: 1 draws from the model, 0 draws all segmentations alike, and
            a large one the best.
        rng: where the randomness comes from.

    Source: Kudo 2018, "Subword Regularization", section 3.3; forward
    filtering and backward sampling make the draw exact.
    """
    sums = forward(text, scores, power)
    back = [0] * len(sums)
    end = len(text)
    while end:
        left = rng.random()
        for start, score in scores.edges(text, end):
            back[end] = start
            left -= exp(sums[start] + power * score - sums[end])
            if left < 0:
                break
        end = back[end]
    return _walk_back(text, back)
