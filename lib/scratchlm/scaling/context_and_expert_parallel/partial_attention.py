"""Attention to some of the keys, and how parts of it become the whole."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Partial(NamedTuple):
    """What queries have mixed of the keys that they have met.

    Args:
        mixed: the mean of these keys' values.
        lse: the logarithm of the sum of the exponentials of their scores;
            -inf if none was visible.
    """

    mixed: Float[Tensor, "*B T Hv"]
    lse: Float[Tensor, "*B T"]


def attend(
    q: Float[Tensor, "*B T H"],
    k: Float[Tensor, "*#B S H"],
    v: Float[Tensor, "*#B S Hv"],
    hidden: Bool[Tensor, "..."] | None = None,
) -> Partial:
    """Mix the values of some keys.

    Args:
        q: queries, multiplied by the scale already.
        k: some of the keys.
        v: their values.
        hidden: True where a key is out of sight; None if none is.
    """
    scores = masked_scores(q, k, hidden)
    lse = scores.logsumexp(-1)
    return Partial((scores - finite(lse)[..., None]).exp() @ v, lse)


def merge(one: Partial, other: Partial) -> Partial:
    """Return what both say together of disjoint sets of keys.

    Args:
        one: of some keys.
        other: of the same queries and other keys.

    Source: Milakov and Gimelshein 2018, "Online normalizer calculation for
    softmax"; Dao et al. 2022, "FlashAttention", section 3.1.
    """
    lse = torch.logaddexp(one.lse, other.lse)
    shares = [(each.lse - finite(lse)).exp() for each in (one, other)]
    mixed = shares[0][..., None] * one.mixed
    return Partial(mixed + shares[1][..., None] * other.mixed, lse)


def differentiate(  # noqa: PLR0913, PLR0917
    q: Float[Tensor, "*B T H"],
    k: Float[Tensor, "*#B S H"],
    v: Float[Tensor, "*#B S Hv"],
    lse: Float[Tensor, "*B T"],
    grad: Float[Tensor, "*B T Hv"],
    along: Float[Tensor, "*B T"],
    *,
    hidden: Bool[Tensor, "..."] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what some keys contribute to the gradients of all three.

    Args:
        q: queries, multiplied by the scale already.
        k: some of the keys.
        v: their values.
        lse: of the scores with all keys.
        grad: the gradient of what the queries mixed of all keys.
        along: its product with that mixture.
        hidden: True where a key is out of sight; None if none is.

    Source: Dao 2023, "FlashAttention-2", algorithm 2.
    """
    weights = (masked_scores(q, k, hidden) - lse[..., None]).exp()
    inner = weights * (grad @ v.mT - along[..., None])
    return inner @ k, inner.mT @ q, weights.mT @ grad


def masked_scores(
    q: Float[Tensor, "*B T H"],
    k: Float[Tensor, "*#B S H"],
    hidden: Bool[Tensor, "..."] | None,
) -> Float[Tensor, "*B T S"]:
    """Return scores, -inf where a key is out of sight.

    Args:
        q: queries, multiplied by the scale already.
        k: keys.
        hidden: True where a key is out of sight; None if none is.
    """
    scores = q @ k.mT
    return scores if hidden is None else scores.masked_fill(hidden, -torch.inf)


def finite(lse: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return a number that can be subtracted: -inf - -inf is none.

    Args:
        lse: -inf where nothing was visible.
    """
    return lse.clamp(min=torch.finfo(lse.dtype).min)
