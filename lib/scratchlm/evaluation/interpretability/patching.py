"""What a place contributes to an answer, by changing it alone.

A clean and a corrupted text differ in a few tokens. The corrupted one is
run with one activation of the clean run, and what this does to a score is
the effect of the place. The gradient estimates all effects at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.evaluation.interpretability.hooks import Change, read, replace

# From the logits behind the last token to a score for each row.
Metric = Callable[[Float[Tensor, "B V"]], Float[Tensor, " B"]]


def difference(right: Int[Tensor, " B"], wrong: Int[Tensor, " B"]) -> Metric:
    """Return a score: by how much one token's logit exceeds another's.

    Args:
        right: for each row, a token.
        wrong: for each row, the other.
    """

    def metric(logits: Tensor) -> Tensor:
        gathered = logits.gather(1, torch.stack([right, wrong], 1))
        return gathered[:, 0] - gathered[:, 1]

    return metric


def set_positions(value: Tensor, positions: Sequence[int]) -> Change:
    """Return a change that puts an activation in at some positions.

    Args:
        value: of shape (B, T, D), as the place has it.
        positions: which of the T to replace.
    """

    def change(now: Tensor) -> Tensor:
        new = now.clone()
        new[:, list(positions)] = value[:, list(positions)]
        return new

    return change


@torch.no_grad()
def patching_effects(
    model: Any,
    clean: Int[Tensor, "B T"],
    corrupted: Int[Tensor, "B _"],
    places: Sequence[str],
    metric: Metric,
) -> Float[Tensor, "places T B"]:
    """Return what each activation of the clean run does to the score.

    Each place and position takes a forward pass.

    Args:
        model: in eval mode.
        clean: tokens of the texts whose activations are put in.
        corrupted: tokens of the texts that are run.
        places: names of modules.
        metric: of the logits behind the last token.

    Returns:
        The score with the activation, less that without.

    Raises:
        ValueError: the two shapes differ.

    Source: Meng et al. 2022, "Locating and Editing Factual Associations in
    GPT", sec. 2; Vig et al. 2020.
    """
    _same_shape(clean, corrupted)
    with read(model, places) as kept:
        model(clean)
    before = metric(model(corrupted)[:, -1])
    effects = []
    for place in places:
        for position in range(clean.shape[1]):
            change = set_positions(kept[place], [position])
            with replace(model, {place: change}):
                effects.append(metric(model(corrupted)[:, -1]) - before)
    return torch.stack(effects).reshape(len(places), clean.shape[1], -1)


def attribution_effects(
    model: Any,
    clean: Int[Tensor, "B T"],
    corrupted: Int[Tensor, "B _"],
    places: Sequence[str],
    metric: Metric,
) -> Float[Tensor, "places T B"]:
    """Estimate all effects of :func:`patching_effects` by one gradient.

    An effect is, to first order, the gradient of the score in the corrupted
    run times what the activation would change by.

    Args:
        model: in eval mode.
        clean: tokens of the texts whose activations would be put in.
        corrupted: tokens of the texts that are run.
        places: names of modules.
        metric: of the logits behind the last token.

    Raises:
        ValueError: the two shapes differ.

    Source: Nanda 2023, "Attribution Patching"; Syed et al. 2023.
    """
    _same_shape(clean, corrupted)
    with torch.no_grad(), read(model, places) as kept:
        model(clean)
    with torch.enable_grad(), read(model, places) as now:
        score = metric(model(corrupted)[:, -1]).sum()
    slopes = torch.autograd.grad(score, [now[place] for place in places])
    return torch.stack(
        [
            ((kept[place] - now[place]) * slope).sum(-1).T.detach()
            for place, slope in zip(places, slopes, strict=True)
        ]
    )


def _same_shape(clean: Tensor, corrupted: Tensor) -> None:
    if clean.shape != corrupted.shape:
        raise ValueError(
            f"the clean tokens have shape {tuple(clean.shape)} and the "
            f"corrupted ones {tuple(corrupted.shape)}; choose texts with as "
            "many tokens"
        )
