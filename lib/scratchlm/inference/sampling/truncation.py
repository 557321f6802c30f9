"""Hide unlikely tokens: each rule is one cut through a distribution.

A hidden token has the logit minus infinity. Those that stay keep their
logits, so that the softmax divides the probability of the hidden ones among
them in proportion. Probabilities are computed in float32 or wider, whatever
the type of the logits.
"""

from dataclasses import dataclass
from math import inf, log

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.processors import Number


def hide(
    logits: Float[Tensor, "B V"], hidden: Bool[Tensor, "B V"]
) -> Float[Tensor, "B V"]:
    """Return the logits, minus infinity where tokens are hidden.

    Args:
        logits: of the next token.
        hidden: True for each token that must not be drawn.
    """
    return logits.masked_fill(hidden, -inf)


def wide(logits: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
    """Return the logits in float32, or as they are if they are wider.

    In bfloat16 a sum next to one moves in steps of a 256th, so that a mass of
    0.999 is taken for one.

    Args:
        logits: of the next token.
    """
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def top_k(logits: Float[Tensor, "B V"], k: int) -> Float[Tensor, "B V"]:
    """Keep the k likeliest tokens, and those as likely as the k-th.

    Args:
        logits: of the next token.
        k: how many, 1 or more. All stay if there are no more than k.

    Source: Fan, Lewis and Dauphin 2018, "Hierarchical Neural Story
    Generation", sec. 5.4.
    """
    least = logits.topk(min(k, logits.shape[-1])).values[:, -1:]
    return hide(logits, logits < least)


def top_p(logits: Float[Tensor, "B V"], p: Number) -> Float[Tensor, "B V"]:
    """Keep the fewest likeliest tokens that together have a mass of p.

    A token stays if those likelier than it have less than p together. The
    one that crosses p therefore stays, and the likeliest always does. Of
    tokens equally likely, those with lower ids come first.

    Args:
        logits: of the next token.
        p: from 0, which leaves one token, to 1, which leaves all.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text
    Degeneration", sec. 3.1.
    """
    if p == 1:  # of which a sum of rounded numbers may fall short
        return logits.clone()
    ordered, order = wide(logits).sort(dim=-1, descending=True, stable=True)
    mass = ordered.softmax(-1).cumsum(-1)
    before = mass.roll(1, -1)
    before[:, 0] = -inf  # so that one stays, even at p = 0
    hidden = torch.empty_like(logits, dtype=torch.bool)
    return hide(logits, hidden.scatter_(-1, order, ~(before < p)))


def min_p(logits: Float[Tensor, "B V"], p: Number) -> Float[Tensor, "B V"]:
    """Keep tokens at least p times as likely as the likeliest.

    Args:
        logits: of the next token.
        p: from 0, which leaves all, to 1, which leaves the likeliest alone,
            or those that share its place.

    Source: Nguyen et al. 2025, "Turning Up the Heat: Min-p Sampling for
    Creative and Coherent LLM Outputs", sec. 3.
    """
    if p == 0:
        return logits.clone()
    scores = wide(logits)
    return hide(logits, scores < scores.amax(-1, keepdim=True) + log(p))


def typical(
    logits: Float[Tensor, "B V"], mass: Number
) -> Float[Tensor, "B V"]:
    """Keep the tokens that are about as surprising as expected.

    Tokens are taken in the order of how far their surprise, minus the log
    of their probability, is from its mean, the entropy, until they have the
    mass together. Those as far off as the last one stay too.

    Args:
        logits: of the next token.
        mass: above 0, up to 1, which leaves all.

    Source: Meister et al. 2023, "Locally Typical Sampling", sec. 4.
    """
    if mass == 1:
        return logits.clone()
    surprise = -wide(logits).log_softmax(-1)
    p = (-surprise).exp()
    entropy = (p * surprise).nansum(-1, keepdim=True)
    off = (surprise - entropy).abs()
    ordered, order = off.sort(dim=-1, stable=True)
    reached = p.gather(-1, order).cumsum(-1) < mass
    last = reached.sum(-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
    return hide(logits, off > ordered.gather(-1, last))


def check_share(name: str, value: Number, *, zero: bool, what: str) -> None:
    """Refuse what is no part of a whole.

    Args:
        name: of the setting.
        value: that was given.
        zero: whether it may be 0.
        what: to give instead.

    Raises:
        ValueError: it is not between 0 and 1.
    """
    if not (0 <= value <= 1 and (zero or value)):  # NaN is in no range
        low = "from 0" if zero else "above 0"
        raise ValueError(f"{name} is {value}; give {what}, {low} up to 1")


@dataclass(frozen=True)
class TopK:
    """The processor of :func:`top_k`.

    Args:
        k: how many tokens stay, 1 or more.

    Raises:
        ValueError: ``k`` is less than 1 or no whole number.
    """

    k: int

    def __post_init__(self) -> None:
        if self.k != int(self.k) or self.k < 1:
            raise ValueError(
                f"top_k is {self.k}; give a whole number, 1 or more, or None "
                "to keep all tokens"
            )

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits of the k likeliest tokens."""
        return top_k(logits, self.k)


@dataclass(frozen=True)
class TopP:
    """The processor of :func:`top_p`, also called nucleus sampling.

    Args:
        p: the mass that stays, from 0 to 1.

    Raises:
        ValueError: ``p`` is outside.
    """

    p: Number

    def __post_init__(self) -> None:
        check_share("top_p", self.p, zero=True, what="a mass")

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits of the nucleus."""
        return top_p(logits, self.p)


@dataclass(frozen=True)
class MinP:
    """The processor of :func:`min_p`.

    Args:
        p: the part of the likeliest token's probability, from 0 to 1, that
            a token must have.

    Raises:
        ValueError: ``p`` is outside.
    """

    p: Number

    def __post_init__(self) -> None:
        check_share("min_p", self.p, zero=True, what="a part")

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits of tokens that are likely enough."""
        return min_p(logits, self.p)


@dataclass(frozen=True)
class Typical:
    """The processor of :func:`typical`.

    Args:
        mass: that stays, above 0 and up to 1.

    Raises:
        ValueError: ``mass`` is outside.
    """

    mass: Number

    def __post_init__(self) -> None:
        check_share("typical", self.mass, zero=False, what="a mass")

    def __call__(
        self, logits: Float[Tensor, "B V"], history: History
    ) -> Float[Tensor, "B V"]:
        """Return the logits of typical tokens."""
        return typical(logits, self.mass)
