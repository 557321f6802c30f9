"""How surprised the model is by what came next."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    logits: Float[Tensor, "*B V"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> Float[Tensor, ""]:
    """Return the mean of ``-log p(target)`` in nats.

    Works in float32 at least, whatever the type of the logits.

    Args:
        logits: a score for each token of the vocabulary.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: no target counts, or one is not in the vocabulary.
    """
    return mean(*cross_entropy_sum(logits, targets, ignore=ignore))


def cross_entropy_sum(
    logits: Float[Tensor, "*B V"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Return the sum of ``-log p(target)`` in nats, and of how many.

    Where no target counts both are zero, and so is the gradient.

    Args:
        logits: a score for each token of the vocabulary.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    counted = counted_targets(targets, logits.shape[-1], ignore)
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p = wide[counted].log_softmax(-1)
    total = -log_p.gather(-1, targets[counted][:, None]).sum()
    return total, counted.sum()


def linear_cross_entropy(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> Float[Tensor, ""]:
    """Return the loss of a linear head, from what it reads.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: no target counts, or one is not in the vocabulary.
    """
    return mean(*linear_cross_entropy_sum(x, weight, targets, ignore=ignore))


def linear_cross_entropy_sum(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Return the sum of a linear head's losses, and of how many.

    Where no target counts both are zero, and so are the gradients.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    return cross_entropy_sum(F.linear(x, weight), targets, ignore=ignore)


def mean(
    total: Float[Tensor, ""], count: Int[Tensor, ""]
) -> Float[Tensor, ""]:
    """Return the loss of one target.

    Args:
        total: the losses of all targets that count, summed.
        count: how many count.

    Raises:
        ValueError: none counts.
    """
    if count == 0:
        raise ValueError(
            "each of the targets says that it does not count; a mean needs "
            "at least one that does"
        )
    return total / count


def counted_targets(
    targets: Int[Tensor, "*B"], vocab_size: int, ignore: int
) -> Bool[Tensor, "*B"]:
    """Return which targets count; refuse what is no token.

    Args:
        targets: the tokens that came next.
        vocab_size: number of tokens V.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    counted = targets != ignore
    if not counted.any():
        return counted
    low, high = targets[counted].aminmax()
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"targets from {low} to {high}, but the logits are for "
            f"{vocab_size} tokens, from 0; use {ignore} for positions "
            "that do not count"
        )
    return counted
