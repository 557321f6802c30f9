"""Keep all experts busy: two losses and a bias.

The functions read what each mixture of a model kept of its last forward
pass in training mode. Nothing is global: two models do not meet.

With ``torch.compile`` they work as without. Under activation checkpointing,
``use_reentrant=False`` is needed: the other kind runs the forward pass
without gradients, and the losses say so. Either kind may count a load twice,
which changes no share and so no bias.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.model.experts.experts import MixtureOfExperts, Statistics
from scratchlm.model.experts.routing import BiasedRouter

M = TypeVar("M", bound=nn.Module)


def statistics(model: nn.Module) -> list[Statistics]:
    """Return what each mixture did with the last batch, layer by layer.

    Args:
        model: has run a forward pass in training mode.

    Raises:
        ValueError: it has no mixture of experts, or has not run one.
    """
    mixtures = _each(model, MixtureOfExperts)
    found = [each.statistics for each in mixtures if each.statistics]
    if len(found) < len(mixtures):
        raise ValueError(
            f"{len(mixtures) - len(found)} of {len(mixtures)} mixtures have "
            "no statistics; run a forward pass in training mode first"
        )
    return found


def balance_loss(model: nn.Module) -> Float[Tensor, ""]:
    """Return how uneven the experts' load is: 1 if even, up to E / k.

    Computes ``E * sum(share of choices * mean probability)``, the mean over
    the layers. Each token makes k choices, so no share is above 1 / k. The
    shares have no gradient; the probabilities have, and it is larger for
    experts that were chosen more often. Add it to the loss with a factor of
    about 0.01.

    Args:
        model: has run a forward pass in training mode.

    Raises:
        ValueError: see :func:`statistics`; or the router is trained but
            the pass kept no gradient.

    Source: Fedus, Zoph and Shazeer 2021, "Switch Transformers", eq. 4-6.
    """
    found = _differentiable(model)
    losses = [
        len(each.load)
        * (each.load / each.load.sum().clamp(min=1) * each.probability).sum()
        for each in found
    ]
    return torch.stack(losses).mean()


def z_loss(model: nn.Module) -> Float[Tensor, ""]:
    """Return the mean square of the routers' log-sum-exp.

    It grows when logits grow, which a softmax alone does not notice. Add it
    to the loss with a factor of about 0.001.

    Args:
        model: has run a forward pass in training mode.

    Raises:
        ValueError: as :func:`balance_loss`.

    Source: Zoph et al. 2022, "ST-MoE", eq. 5.
    """
    return torch.stack([each.z for each in _differentiable(model)]).mean()


@torch.no_grad()
def update_biases(
    model: nn.Module,
    rate: float,
    *,
    reduce: Callable[[Int[Tensor, "L E"]], object] | None = None,
) -> None:
    """Make overloaded experts less likely to be chosen, idle ones more.

    Call it once after each step of the optimizer. The load is that of all
    forward passes in training mode since the last call, so the micro-batches
    of a step count together.

    Args:
        model: has routers of the kind
            :class:`~scratchlm.model.experts.routing.BiasedRouter`.
        rate: how far each bias moves; 0.001 in DeepSeek-V3.
        reduce: changes the loads of all layers in place to their sum over
            all processes; none if None.

    Raises:
        ValueError: the model has no such router.

    Source: Wang et al. 2024, "Auxiliary-Loss-Free Load Balancing Strategy
    for Mixture-of-Experts", algorithm 1.
    """
    routers = _each(model, BiasedRouter)
    loads = torch.stack([router.load for router in routers])
    if reduce is not None:
        reduce(loads)
    for router, load in zip(routers, loads, strict=True):
        # E times the load against the sum: whole numbers have no rounding.
        missing = load.sum() - len(load) * load
        router.bias += rate * missing.sign()
        router.load.zero_()


def _each(model: nn.Module, kind: type[M]) -> list[M]:
    found = [each for each in model.modules() if isinstance(each, kind)]
    if not found:
        raise ValueError(
            f"the model has no {kind.__name__}; pass one as its feedforward "
            "part, or as the router of one"
        )
    return found


def _differentiable(model: nn.Module) -> list[Statistics]:
    found = statistics(model)
    trained = all(
        each.router.weight.requires_grad
        for each in _each(model, MixtureOfExperts)
    )
    graphs = all(each.probability.requires_grad for each in found)
    if torch.is_grad_enabled() and trained and not graphs:
        raise ValueError(
            "the forward pass kept no gradient of the routers, so this loss "
            "would teach nothing; if it ran under activation checkpointing, "
            "pass use_reentrant=False"
        )
    return found
