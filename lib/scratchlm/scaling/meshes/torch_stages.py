"""Stages of a model, and the orders in which PyTorch's pipelines run them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from scratchlm.foundation.arguments import one_of
from scratchlm.model.attention.documents import Documents
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.context_and_expert_parallel.ring_attention import (
    RingAttention,
)
from scratchlm.scaling.pipeline_parallel.stages import Stage, split_layers
from scratchlm.training.objective.terms import wide


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one of PyTorch's schedules asks of its stages.

    Args:
        kind: the name of its class, without ``Schedule``.
        chunks: stages of each rank.
        folded: whether the last rank's stages follow each other, so that
            rank zero has the first stage and the last.
        fills: whether it refuses fewer micro-batches than stages.
        rounds: whether micro-batches go through in rounds of equal size.
        splits: whether it goes back to inputs and to weights apart.
    """

    kind: str
    chunks: int = 1
    folded: bool = False
    fills: bool = False
    rounds: bool = False
    splits: bool = False

    def stages_of(self, rank: int, size: int) -> list[int]:
        """Return the stages of a rank.

        Args:
            rank: along the pipeline.
            size: ranks of the pipeline.
        """
        if self.folded:
            return [rank, 2 * size - 1 - rank]
        return [rank + chunk * size for chunk in range(self.chunks)]

    def rank_of(self, stage: int, size: int) -> int:
        """Return which rank has a stage.

        Args:
            stage: counted from 0.
            size: ranks of the pipeline.
        """
        ranks = range(size)
        return next(r for r in ranks if stage in self.stages_of(r, size))

    def check(self, n_micro: int, size: int) -> None:
        """Refuse micro-batches with which PyTorch would raise, or hang.

        Args:
            n_micro: micro-batches of a step.
            size: ranks of the pipeline.

        Raises:
            ValueError: there are too few, or they make no equal rounds.
        """
        n_stages = self.chunks * size
        if self.fills and n_micro < n_stages:
            raise ValueError(
                f"n_micro is {n_micro}, and {self.kind} needs as many "
                f"micro-batches as its {n_stages} stages; give {n_stages} or "
                f"more, or take GPipe"
            )
        n_rounds = max(1, n_micro // size)
        if self.rounds and n_micro % n_rounds:
            raise ValueError(
                f"n_micro is {n_micro}, and {self.kind} has rounds of {size} "
                f"micro-batches; give a multiple of {size}"
            )


_ORDERS = (
    Order(kind="GPipe"),
    Order(kind="1F1B", fills=True),
    Order(kind="LoopedBFS", chunks=2),
    Order(kind="Interleaved1F1B", chunks=2, rounds=True),
    Order(kind="InterleavedZeroBubble", chunks=2, rounds=True, splits=True),
    Order(kind="ZBVZeroBubble", chunks=2, folded=True, splits=True),
    Order(kind="DualPipeV", chunks=2, folded=True, fills=True, splits=True),
)
ORDERS = MappingProxyType({order.kind: order for order in _ORDERS})


def order_of(schedule: str, n_micro: int, size: int) -> Order:
    """Return what a schedule asks for.

    Args:
        schedule: a name of ``ORDERS``.
        n_micro: micro-batches of a step.
        size: ranks of the pipeline.

    Raises:
        ValueError: there is no such schedule, or too few micro-batches.
    """
    one_of("schedule", schedule, tuple(ORDERS))
    if size == 1:  # one stage, and nothing to put in order
        return ORDERS["GPipe"]
    ORDERS[schedule].check(n_micro, size)
    return ORDERS[schedule]


class LossStage(Stage):
    """A stage that goes on to the loss, if it is the last one.

    So the head is called inside of what PyTorch wraps: its weight is whole
    there, and one program is compiled up to the loss.
    """

    def forward(
        self,
        x: Int[Tensor, "B T"] | Float[Tensor, "B _ D"],
        *,
        documents: Int[Tensor, "B S"] | Documents | None = None,
        positions: Int[Tensor, "B T"] | None = None,
        targets: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "*_"]:
        """Return the stream for the next stage, or the sum of the nats.

        Args:
            x: tokens for the first stage, and for others what the stage
                before has returned.
            documents: of whole rows; each row is one document if None.
            positions: of each token.
            targets: the tokens that came next; the last stage needs them.
        """
        x = super().forward(x, documents=documents, positions=positions)
        if self.head is None:
            return x
        assert targets is not None
        return summed_loss(self.head(x), targets)


def summed_loss(
    logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Return the nats of all targets that count.

    Args:
        logits: whole, or in parts by tokens, and then inside of
            :func:`loss_in_parts`, with the backward pass.
        targets: the tokens that came next; -100 where none counts.
    """
    nats = F.cross_entropy(
        wide(logits).flatten(0, 1),
        targets.flatten(),
        ignore_index=-100,
        reduction="sum",
    )
    # FSDP2 hooks into what is returned, which must not be a view.
    return nats.to_local().clone() if isinstance(nats, DTensor) else nats


@contextmanager
def loss_in_parts() -> Iterator[None]:
    """Take the loss of logits in parts, until the context ends.

    PyTorch's own, left by an error, would stay for the whole process.
    """
    failed: BaseException | None = None
    with loss_parallel():
        try:
            yield
        except BaseException as error:
            failed = error
    if failed is not None:
        raise failed


def cut_stages(
    model: Transformer, order: Order, rank: int, size: int
) -> dict[int, LossStage]:
    """Return a rank's stages, which share the model's modules.

    Args:
        model: whole.
        order: of the pipeline.
        rank: along it.
        size: its ranks.

    Raises:
        ValueError: there are fewer layers than stages.
    """
    layers = split_layers(len(model.blocks), order.chunks * size)
    return {
        stage: LossStage(model, layers[stage])
        for stage in order.stages_of(rank, size)
    }


class Held(nn.Module):
    """What a rank holds of a model, under the model's own names.

    Args:
        stages: of this rank.
    """

    def __init__(self, stages: Sequence[Stage]):
        super().__init__()
        for name in ("embedding", "norm", "head"):
            parts = (getattr(stage, name) for stage in stages)
            found = [part for part in parts if part is not None]
            setattr(self, name, found[0] if found else None)
        self.blocks = nn.ModuleDict(
            {i: block for s in stages for i, block in s.blocks.items()}
        )


def recompute(blocks: Iterable[nn.Module]) -> None:
    """Let backward passes compute activations again that blocks had.

    The other kind of PyTorch's, which is the default, breaks the backward
    pass of a block whose input has no gradient.

    Args:
        blocks: called as before.
    """
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def compile_whole(stages: Iterable[nn.Module], backend: str) -> None:
    """Compile stages, each as one.

    Blocks that are compiled one by one would hand parts of a distributed
    tensor to each other.

    Args:
        stages: compiled when they are first called.
        backend: of the compiler.
    """
    for stage in stages:
        for part in stage.modules():
            if isinstance(part, RingAttention):
                # Its messages are no part of a program.
                disable: Any = torch.compiler.disable
                forward = disable(part.forward)
                part.forward = forward  # type: ignore[method-assign]
        # With sizes for symbols, as PyTorch takes those that have changed
        # once, programs of distributed tensors do not compile.
        stage.compile(backend=backend, dynamic=False)
