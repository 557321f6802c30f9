"""A model cut into stages, from outside."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.model.attention.documents import Documents
from scratchlm.model.transformer.transformer import Transformer


class Stage(nn.Module):
    """Some layers of a model, with what stands before and behind them.

    ::

        stage 0      embedding ─ block 0 ─ block 1 ─▶ x
        stage 1      x ─ block 2 ─ block 3 ─▶ x
        last stage   x ─ block 4 ─ norm ─▶ what the head reads

    It holds the model's own modules under the model's own names, so that
    checkpoints and groups of an optimizer stay as they are.

    Args:
        model: which knows nothing of it.
        layers: that it has, counted from 0 in the whole model.
    """

    def __init__(self, model: Transformer, layers: range):
        super().__init__()
        first, last = layers.start == 0, layers.stop == len(model.blocks)
        self.embedding = model.embedding if first else None
        self.rotary = model.rotary
        self.blocks = nn.ModuleDict({str(i): model.blocks[i] for i in layers})
        self.norm = model.norm if last else None
        self.head = model.head if last else None
        self.d_model = model.config.d_model
        self.tied = model.head.weight is model.embedding.tokens.weight

    @property
    def shared_weight(self) -> nn.Parameter | None:
        """The weight that another stage has too: of the table, or the head.

        None in the stages between, where the head has a weight of its own,
        and where there is no other stage.
        """
        if not self.tied or (self.embedding is None) == (self.head is None):
            return None
        weight: nn.Parameter
        if self.embedding is not None:
            weight = self.embedding.tokens.weight
        else:
            assert self.head is not None
            weight = self.head.weight
        return weight

    def forward(
        self,
        x: Int[Tensor, "B T"] | Float[Tensor, "B _ D"],
        *,
        documents: Int[Tensor, "B S"] | Documents | None = None,
        positions: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B _ D"]:
        """Return the stream for the next stage, or what the head reads.

        Args:
            x: tokens for the first stage, and for others what the stage
                before has returned.
            documents: a number for each document of a row; each row is one
                document if None. Whoever has made a :class:`Documents`
                already may give that.
            positions: of each token; counted from the beginning of its
                document if None.
        """
        packed = (
            Documents.of(documents)
            if isinstance(documents, Tensor)
            else documents
        )
        at: Tensor | None = positions
        if at is None and packed is not None:
            at = packed.positions
        if at is None:
            at = torch.arange(x.shape[1], device=x.device)
        if self.embedding is not None:
            x = self.embedding(x, at)
        turn = self.rotary(at)
        for block in self.blocks.values():
            x = block(x, turn, None, packed)
        return x if self.norm is None else self.norm(x)


def split_layers(n_layers: int, n_stages: int) -> tuple[range, ...]:
    """Return the layers of each stage, whose numbers differ by one at most.

    Where they differ, the stages between have more than the last, which has
    the head, and the first, which has the embedding.

    Args:
        n_layers: L, of the model.
        n_stages: of all ranks.

    Raises:
        ValueError: a stage would have no layer.
    """
    if not 1 <= n_stages <= n_layers:
        raise ValueError(
            f"n_stages is {n_stages}, and the model has {n_layers} layers; "
            f"give 1 to {n_layers} stages, so that each has a layer"
        )
    each, more = divmod(n_layers, n_stages)
    turns = [*range(1, n_stages - 1), 0, n_stages - 1][:more]
    sizes = [each + (stage in turns) for stage in range(n_stages)]
    starts = [sum(sizes[:stage]) for stage in range(n_stages)]
    return tuple(
        range(start, start + size)
        for start, size in zip(starts, sizes, strict=True)
    )


def split_model(
    model: Transformer,
    stages: Iterable[int],
    n_stages: int,
    *,
    layers: Sequence[range] | None = None,
) -> dict[int, Stage]:
    """Return some stages of a model, which share its modules.

    Args:
        model: all of it; what no stage holds can be dropped afterwards.
        stages: their numbers, as :meth:`Schedule.stages_of` gives them.
        n_stages: of all ranks.
        layers: of each stage; as :func:`split_layers` cuts them if None.

    Raises:
        ValueError: ``layers`` are not all layers in order, a part for each
            stage, or there are fewer layers than stages.
    """
    n_layers = len(model.blocks)
    cut = split_layers(n_layers, n_stages) if layers is None else layers
    if len(cut) != n_stages or not all(cut):
        raise ValueError(
            f"layers are {[*cut]}; give a range of one or more for each of "
            f"{n_stages} stages"
        )
    if [i for part in cut for i in part] != [*range(n_layers)]:
        raise ValueError(
            f"layers are {[*cut]}; give all of {n_layers} in order, each once"
        )
    return {stage: Stage(model, cut[stage]) for stage in stages}
