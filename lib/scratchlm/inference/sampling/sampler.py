"""Logits to the next token of each row."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.inference.sampling.draws import inverse_cdf, uniform
from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
    Temperature,
)
from scratchlm.inference.sampling.processors import Number, Processor, process
from scratchlm.inference.sampling.truncation import (
    MinP,
    TopK,
    TopP,
    Typical,
    wide,
)

Sampler = Callable[[Float[Tensor, "B V"], History], Int[Tensor, "B"]]


def greedy(logits: Float[Tensor, "B V"], history: History) -> Int[Tensor, "B"]:
    """Return the likeliest token of each row, of equals the lowest id.

    Args:
        logits: of the next token.
        history: not looked at.

    Raises:
        ValueError: a row has no finite largest logit.
    """
    best, token = logits.max(-1)
    _check(best)
    return token


class Greedy:
    """Takes the likeliest token that processors leave.

    Args:
        processors: in the order in which they apply.
    """

    def __init__(self, *processors: Processor):
        self.processors = processors

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Int[Tensor, "B"]:
        """Return the next token of each row.

        Args:
            logits: of the next token.
            history: what the rows have read and written.

        Raises:
            ValueError: a row has nothing left, or a logit is no number.
        """
        return greedy(process(self.processors, wide(logits), history), history)


class Sample:
    """Draws a token from the distribution that processors leave.

    One uniform number decides each draw. It follows from the seed, the
    number of the row and its position, so that a row draws the same tokens
    whatever rows stand beside it, and there is no state to save.

    Args:
        processors: in the order in which they apply.
        seed: decides the draws; 64 bits, the first of which is the sign.

    Raises:
        ValueError: the seed is larger.
    """

    def __init__(self, *processors: Processor, seed: int = 0):
        if not -(2**63) <= seed < 2**63:
            raise ValueError(
                f"seed is {seed}; give a whole number of 64 bits, such as "
                f"{seed % 2**63}"
            )
        self.processors = processors
        self.seed = seed

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Int[Tensor, "B"]:
        """Return the next token of each row.

        Args:
            logits: of the next token.
            history: what the rows have read and written.

        Raises:
            ValueError: a row has nothing left, or a logit is no number.
        """
        left = process(self.processors, wide(logits), history)
        _check(left.amax(-1))
        drawn = [
            uniform(self.seed, row, len(written))
            for row, written in zip(history.rows, history.written, strict=True)
        ]
        u = torch.tensor(drawn, dtype=torch.float64, device=left.device)
        return inverse_cdf(left, u)


def sampler(  # noqa: PLR0913
    *,
    temperature: Number = 1.0,
    top_k: int | None = None,
    top_p: Number | None = None,
    min_p: Number | None = None,
    typical: Number | None = None,
    repetition_penalty: Number = 1.0,
    presence_penalty: Number = 0.0,
    frequency_penalty: Number = 0.0,
    processors: Sequence[Processor] = (),
    seed: int = 0,
) -> Sampler:
    """Return a sampler of the usual settings, in the usual order.

    That is the order of transformers: penalties, what else is given,
    temperature, and then each cut in what the one before has left.

    Args:
        temperature: 0 takes the likeliest token.
        top_k: see :func:`~scratchlm.inference.sampling.truncation.top_k`.
        top_p: see :func:`~scratchlm.inference.sampling.truncation.top_p`.
        min_p: see :func:`~scratchlm.inference.sampling.truncation.min_p`.
        typical: see
            :func:`~scratchlm.inference.sampling.truncation.typical`.
        repetition_penalty: 1 is none.
        presence_penalty: 0 is none.
        frequency_penalty: 0 is none.
        processors: others, such as a grammar, that decide what is possible.
        seed: decides the draws.

    Raises:
        ValueError: a setting is impossible.
    """
    first: list[Processor] = []
    if repetition_penalty != 1:
        first.append(RepetitionPenalty(repetition_penalty))
    if presence_penalty != 0:
        first.append(PresencePenalty(presence_penalty))
    if frequency_penalty != 0:
        first.append(FrequencyPenalty(frequency_penalty))
    first += processors
    cuts: list[Processor] = []
    if top_k is not None:
        cuts.append(TopK(top_k))
    if top_p is not None:
        cuts.append(TopP(top_p))
    if min_p is not None:
        cuts.append(MinP(min_p))
    if typical is not None:
        cuts.append(Typical(typical))
    if temperature == 0:  # no cut hides the likeliest but a typical one
        return Greedy(*first)
    if temperature != 1:
        first.append(Temperature(temperature))
    return Sample(*first, *cuts, seed=seed)


def _check(best: Float[Tensor, "B"]) -> None:
    """Refuse rows from which nothing can be taken."""
    bad = (~best.isfinite()).nonzero()[:, 0].tolist()
    if bad:
        value = float(best[bad[0]])
        raise ValueError(
            f"the largest logit of live row {bad[0]} is {value}: "
            + (
                "every token is hidden; loosen what hides them"
                if value == float("-inf")
                else "look for NaN or overflow in the model, or for a "
                "temperature next to 0"
            )
        )
