"""Which parameter goes to which optimizer, and which of them decay."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from scratchlm.model.block.norm import LayerNorm, RMSNorm
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.muon import Muon
from scratchlm.training.optimizers.per_parameter import evaluate


class Kinds(NamedTuple):
    """The parameters of a model, each in one of three kinds.

    Args:
        matrices: maps between activations, inside the blocks.
        tables: the embedding and the head, whose rows are tokens.
        vectors: biases, and the gains of norms, of which those of some norms
            of heads have two axes.
    """

    matrices: list[nn.Parameter]
    tables: list[nn.Parameter]
    vectors: list[nn.Parameter]


def kinds_of(model: nn.Module) -> Kinds:
    """Sort the parameters of a model.

    Args:
        model: its blocks are in ``blocks``.

    Raises:
        ValueError: the model has no blocks, so that nothing tells a table
            from a matrix.
    """
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.Module):
        raise ValueError(
            f"{type(model).__name__} has no blocks, by which matrices are "
            "told from tables; make the groups by hand"
        )
    inside = {id(p) for p in blocks.parameters()}
    gains = {
        id(p)
        for module in model.modules()
        if isinstance(module, LayerNorm | RMSNorm)
        for p in module.parameters(recurse=False)
    }
    kinds = Kinds([], [], [])
    for parameter in model.parameters():
        if parameter.ndim < 2 or id(parameter) in gains:
            kinds.vectors.append(parameter)
        elif id(parameter) in inside:
            kinds.matrices.append(parameter)
        else:
            kinds.tables.append(parameter)
    return kinds


def adamw(
    model: nn.Module,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    weight_decay: float = 0.1,
) -> AdamW:
    """Return AdamW that decays matrices and tables, and no vector.

    Args:
        model: a transformer.
        lr: the peak learning rate.
        betas: of the two means; Brown et al. 2020, "Language Models are
            Few-Shot Learners", appendix B, has these.
        weight_decay: of what decays.

    Raises:
        ValueError: a setting is out of range.
    """
    kinds = kinds_of(model)
    groups: list[dict[str, Any]] = [
        {"params": kinds.matrices + kinds.tables},
        {"params": kinds.vectors, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return AdamW(groups, lr=lr, betas=betas, weight_decay=weight_decay)


class Several(torch.optim.Optimizer):
    """Optimizers of different parameters, used as one.

    Args:
        optimizers: their groups become the groups of this one.

    Raises:
        ValueError: two of them have a parameter in common.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]):
        self.optimizers = list(optimizers)
        groups = [g for each in self.optimizers for g in each.param_groups]
        held = [id(p) for group in groups for p in group["params"]]
        if len(set(held)) < len(held):
            raise ValueError(
                "two optimizers hold the same parameter, which would move "
                "twice; give each parameter to one"
            )
        super().__init__([p for g in groups for p in g["params"]], {})
        self.param_groups = groups  # the very ones, so that schedules reach

    @torch.no_grad()
    def step(  # type: ignore[override]  # torch overloads it
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        """Let each optimizer move its parameters.

        Args:
            closure: computes the loss and its gradients first; its result is
                returned.
        """
        loss = evaluate(closure)
        for optimizer in self.optimizers:
            optimizer.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all, in order."""
        return {"optimizers": [o.state_dict() for o in self.optimizers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the states of all.

        Raises:
            ValueError: the state is of another number of optimizers.
        """
        states = state_dict["optimizers"]
        if len(states) != len(self.optimizers):
            raise ValueError(
                f"the state is of {len(states)} optimizers, and these are "
                f"{len(self.optimizers)}"
            )
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)
        self.param_groups = [
            group for each in self.optimizers for group in each.param_groups
        ]


def owner_of(optimizer: Any, parameter: nn.Parameter) -> Any:
    """Return the optimizer that moves a parameter and keeps its state.

    Args:
        optimizer: one, or several used as one.
        parameter: of a model.

    Returns:
        None where nothing moves it, as in a model that is frozen in part.
    """
    every: list[torch.optim.Optimizer] = (
        optimizer.optimizers if isinstance(optimizer, Several) else [optimizer]
    )
    for each in every:
        for group in each.param_groups:
            if any(parameter is p for p in group["params"]):
                return each
    return None


def muon_and_adamw(  # noqa: PLR0913
    model: nn.Module,
    *,
    lr: float = 0.02,
    table_lr: float = 3e-3,
    vector_lr: float = 3e-3,
    momentum: float = 0.95,
    betas: tuple[float, float] = (0.9, 0.95),
    weight_decay: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Several:
    """Return Muon for the matrices, and AdamW for tables and vectors.

    Args:
        model: a transformer.
        lr: of the matrices.
        table_lr: of the embedding and the head.
        vector_lr: of gains and biases.
        momentum: of Muon.
        betas: of AdamW.
        weight_decay: of matrices and tables.
        dtype: of Muon's iteration.

    Raises:
        ValueError: a setting is out of range.
    """
    matrices, tables, vectors = kinds_of(model)
    groups: list[dict[str, Any]] = [
        {"params": tables, "lr": table_lr},
        {"params": vectors, "lr": vector_lr, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return Several(
        [
            Muon(
                matrices,
                lr,
                momentum=momentum,
                weight_decay=weight_decay,
                dtype=dtype,
            ),
            AdamW(groups, betas=betas, weight_decay=weight_decay),
        ]
    )
