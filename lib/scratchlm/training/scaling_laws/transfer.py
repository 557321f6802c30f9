"""Keep a learning rate while a model grows wider.

In the standard parametrization the best rate depends on the width, since a
wider layer adds up more entries, each of which a step of Adam moves as far
as in a narrow one. The maximal update parametrization (muP) divides by what
grows, so that each layer's output changes as much per step at any width.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from scratchlm.model.block.initialization import initialize
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.groups import kinds_of


class Multipliers(NamedTuple):
    """What a width changes, over what holds at the base width.

    Args:
        deviation: of the first weights.
        rate: of Adam.
    """

    deviation: float
    rate: float


def multipliers(d_model: int, base: int) -> dict[str, Multipliers]:
    """Return the factors of each kind of parameter.

    Args:
        d_model: width D of the model.
        base: the width at which the rate was tuned.

    Returns:
        For ``matrices``, whose inputs grow in number with the width,
        ``head``, whose inputs do and whose outputs do not, and ``tables`` and
        ``vectors``, whose inputs do not.

    Raises:
        ValueError: a width is below 1.

    Source: Yang et al. 2022, "Tensor Programs V", table 3.
    """
    if d_model < 1 or base < 1:
        raise ValueError(
            f"d_model is {d_model} and base is {base}; give widths from 1"
        )
    wider = d_model / base
    return {
        "matrices": Multipliers(wider**-0.5, 1 / wider),
        "head": Multipliers(1 / wider, 1 / wider),
        "tables": Multipliers(1.0, 1.0),
        "vectors": Multipliers(1.0, 1.0),
    }


def mup_initialize(
    model: Transformer, n_layers: int, *, base: int, std: float = 0.02
) -> None:
    """Draw the first weights so that activations keep their size.

    At the base width this is
    :func:`~scratchlm.model.block.initialization.initialize`. It is meant for
    the ``init`` of a configuration, with ``functools.partial``.

    Args:
        model: its parameters are changed in place.
        n_layers: number of blocks L.
        base: the width at which ``std`` holds.
        std: deviation of the weights there.

    Raises:
        ValueError: the head is tied to the embedding, or a width is below 1.
    """
    initialize(model, n_layers, std=std)
    factors = multipliers(model.config.d_model, base)
    with torch.no_grad():
        for name, parameters in sorted_parameters(model).items():
            for parameter in parameters:
                parameter.mul_(
                    1.0 if name == "vectors" else factors[name].deviation
                )


def mup_adamw(
    model: Transformer,
    *,
    lr: float,
    base: int,
    betas: tuple[float, float] = (0.9, 0.95),
    weight_decay: float = 0.0,
) -> AdamW:
    """Return AdamW with a rate for each kind of parameter.

    Args:
        model: a transformer whose first weights are from
            :func:`mup_initialize`.
        lr: the peak rate that is best at the base width.
        base: that width.
        betas: of the two means.
        weight_decay: of all but vectors, at the base width. It rises as the
            rate falls, so that a step removes the same part of a weight.

    Raises:
        ValueError: the head is tied to the embedding, or a setting is out of
            range.
    """
    factors = multipliers(model.config.d_model, base)
    groups: list[dict[str, Any]] = []
    for name, parameters in sorted_parameters(model).items():
        rate = factors[name].rate
        decay = 0.0 if name == "vectors" else weight_decay / rate
        groups.append(
            {"params": parameters, "lr": lr * rate, "weight_decay": decay}
        )
    groups = [group for group in groups if group["params"]]
    return AdamW(groups, lr=lr, betas=betas)


def sorted_parameters(model: Transformer) -> dict[str, list[nn.Parameter]]:
    """Return the parameters by the kinds of :func:`multipliers`.

    Args:
        model: with a head of its own.

    Raises:
        ValueError: the head is tied to the embedding: one matrix cannot have
            two rates.
    """
    head = list(model.head.parameters())
    owned = {id(p) for p in head}
    if owned & {id(p) for p in model.embedding.parameters()}:
        raise ValueError(
            "the head is tied to the embedding, and muP gives the two "
            "different rates; configure the model with tied=False"
        )
    matrices, tables, vectors = kinds_of(model)
    return {
        "matrices": matrices,
        "head": [p for p in tables if id(p) in owned],
        "tables": [p for p in tables if id(p) not in owned],
        "vectors": vectors,
    }


def coordinate_check(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    losses: Iterable[Callable[[], Tensor]],
) -> list[dict[str, float]]:
    """Train, and say how large activations are in each step.

    Where a parametrization is right, the sizes in some step are about the
    same at every width. Where it is not, they grow or vanish with it.

    Args:
        model: is trained.
        optimizer: of its parameters.
        losses: each computes the loss of a batch by calling the model.

    Returns:
        For each step the root mean square of what ``embedding``, each block
        (``blocks.0``, ...), ``norm`` and ``head`` put out.

    Source: Yang et al. 2022, "Tensor Programs V", appendix D.1, "coordinate
    checking".
    """
    watched = {
        name: module
        for name, module in model.named_modules()
        if name in ("embedding", "norm", "head")
        or name.rpartition(".")[0] == "blocks"
    }
    sizes: dict[str, float] = {}

    def watch(name: str) -> Callable[..., None]:
        def note(module: nn.Module, given: Any, result: Tensor) -> None:
            sizes[name] = float(result.detach().square().mean().sqrt())

        return note

    handles = [
        module.register_forward_hook(watch(name))
        for name, module in watched.items()
    ]
    history = []
    try:
        for compute in losses:
            optimizer.zero_grad()
            compute().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            history.append(dict(sizes))
    finally:
        for handle in handles:
            handle.remove()
    return history
