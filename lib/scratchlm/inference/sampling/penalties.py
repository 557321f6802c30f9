"""Change logits: by a temperature, or by what a row has read and written."""

from dataclasses import dataclass
from math import inf, isfinite

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.processors import Number


def temperature(
    logits: Float[Tensor, "B V"], t: Number
) -> Float[Tensor, "B V"]:
    """Divide all logits: below 1 likely tokens gain, above 1 they lose.

    Args:
        logits: of the next token.
        t: above 0.

    Source: Ackley, Hinton and Sejnowski 1985, "A Learning Algorithm for
    Boltzmann Machines", eq. 5.
    """
    return logits / t


def repetition_penalty(
    logits: Float[Tensor, "B V"], counts: Int[Tensor, "B V"], penalty: Number
) -> Float[Tensor, "B V"]:
    """Divide positive logits of tokens that occurred, multiply negative ones.

    Both make such a token less likely if the penalty is above 1. How much
    less depends on where the zero of the logits lies, which the model's
    loss leaves open.

    Args:
        logits: of the next token.
        counts: how often each has occurred.
        penalty: above 0.

    Source: Keskar et al. 2019, "CTRL", sec. 4.1, and for negative logits
    its released code.
    """
    lower = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(counts > 0, lower, logits)


def presence_penalty(
    logits: Float[Tensor, "B V"], counts: Int[Tensor, "B V"], penalty: Number
) -> Float[Tensor, "B V"]:
    """Take the penalty once from each token that occurred.

    Args:
        logits: of the next token.
        counts: how often each has occurred.
        penalty: in units of logits; below 0 it is a reward.

    Source: OpenAI's API reference, ``presence_penalty``.
    """
    return logits - penalty * (counts > 0).to(logits.dtype)


def frequency_penalty(
    logits: Float[Tensor, "B V"], counts: Int[Tensor, "B V"], penalty: Number
) -> Float[Tensor, "B V"]:
    """Take the penalty from a token as often as it occurred.

    Args:
        logits: of the next token.
        counts: how often each has occurred.
        penalty: in units of logits; below 0 it is a reward.

    Source: OpenAI's API reference, ``frequency_penalty``.
    """
    return logits - penalty * counts.to(logits.dtype)


def check_positive(name: str, value: Number, instead: str) -> None:
    """Refuse what cannot divide a logit.

    Args:
        name: of the setting.
        value: that was given.
        instead: what the caller may have wanted.

    Raises:
        ValueError: it is not above 0, or not finite.
    """
    if not 0 < value < inf:
        raise ValueError(
            f"{name} is {value}; give a number above 0, {instead}"
        )


def check_finite(name: str, value: Number) -> None:
    """Refuse what is no number to subtract.

    Args:
        name: of the setting.
        value: that was given.

    Raises:
        ValueError: it is infinite or no number.
    """
    if not isfinite(value):
        raise ValueError(
            f"{name} is {value}; give a finite number, 0 for no penalty"
        )


@dataclass(frozen=True)
class Temperature:
    """The processor of :func:`temperature`.

    Args:
        t: above 0; 1 changes nothing.

    Raises:
        ValueError: ``t`` is not.
    """

    t: Number

    def __post_init__(self) -> None:
        check_positive("temperature", self.t, "or take greedy for 0")

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the divided logits."""
        return temperature(logits, self.t)


@dataclass(frozen=True)
class RepetitionPenalty:
    """The processor of :func:`repetition_penalty`.

    It counts the prompt too, as CTRL and transformers do.

    Args:
        penalty: above 0; 1 changes nothing.

    Raises:
        ValueError: ``penalty`` is not.
    """

    penalty: Number

    def __post_init__(self) -> None:
        check_positive("repetition_penalty", self.penalty, "1 for none")

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits, lower for what was read or written."""
        counts = history.counts(
            logits.shape[-1], prompt=True, device=logits.device
        )
        return repetition_penalty(logits, counts, self.penalty)


@dataclass(frozen=True)
class PresencePenalty:
    """The processor of :func:`presence_penalty`.

    It counts what was written alone, as OpenAI's API and vLLM do.

    Args:
        penalty: 0 changes nothing.

    Raises:
        ValueError: ``penalty`` is not finite.
    """

    penalty: Number

    def __post_init__(self) -> None:
        check_finite("presence_penalty", self.penalty)

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits, lower for what was written."""
        counts = history.counts(
            logits.shape[-1], prompt=False, device=logits.device
        )
        return presence_penalty(logits, counts, self.penalty)


@dataclass(frozen=True)
class FrequencyPenalty:
    """The processor of :func:`frequency_penalty`.

    It counts what was written alone, as OpenAI's API and vLLM do.

    Args:
        penalty: 0 changes nothing.

    Raises:
        ValueError: ``penalty`` is not finite.
    """

    penalty: Number

    def __post_init__(self) -> None:
        check_finite("frequency_penalty", self.penalty)

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits, lower the more often a token was written."""
        counts = history.counts(
            logits.shape[-1], prompt=False, device=logits.device
        )
        return frequency_penalty(logits, counts, self.penalty)
