"""One model on several ranks, each of which reads some of the positions."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from scratchlm.foundation.arguments import one_of
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.efficient_attention.tiled_attention import Tiled
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    Layout,
    positions_of,
    zigzag,
)
from scratchlm.scaling.context_and_expert_parallel.ring_attention import (
    RingAttention,
)
from scratchlm.scaling.context_and_expert_parallel.ulysses import Ulysses
from scratchlm.scaling.data_parallel.agreement import (
    fingerprint,
    require_same,
)
from scratchlm.scaling.tensor_parallel.plan import require_alike_heads
from scratchlm.training.objective.loss import Loss, next_token_loss


class Share(NamedTuple):
    """What one rank reads of some rows.

    Args:
        tokens: at this rank's positions.
        targets: at the same; -100 where none counts.
        positions: of each token in its document.
        documents: of the whole rows; None if each is one document.
    """

    tokens: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    positions: Int[Tensor, "B T"]
    documents: Documents | None


class ContextParallel:
    """Let each rank read some positions of all rows.

    Only attention looks at other positions, so only its cores are replaced,
    in place. The model is not told. All else is as if the positions were
    rows of their own, and so is the gradient: each rank has its summand, and
    :class:`~scratchlm.scaling.data_parallel.data_parallel.DataParallel`
    sums them::

        context = ContextParallel(model, group)
        parallel = DataParallel(model, group)
        loss = context.loss(tokens, targets)
        count = sum_over_ranks(loss.count, group)
        parallel.backward(loss.over(count))

    Args:
        model: the same on all ranks.
        group: W ranks.
        kind: ``"ring"``, or ``"ulysses"``, which needs W to divide the
            number of query heads.
        layout: which positions each rank holds.

    Raises:
        ValueError: the ranks' models differ, there is no such kind, or the
            model's attention has a core that cannot be replaced.

    Source: Liu, Zaharia and Abbeel 2023, "Ring Attention"; Jacobs et al.
    2023, "DeepSpeed Ulysses".
    """

    def __init__(
        self,
        model: Transformer,
        group: dist.ProcessGroup,
        *,
        kind: str = "ring",
        layout: Layout = zigzag,
    ):
        one_of("kind", kind, ("ring", "ulysses"))
        require_same(fingerprint(model), group)
        self.model, self.group, self.layout = model, group, layout
        found = [
            (name, module)
            for name, module in model.named_modules()
            if isinstance(getattr(module, "core", None), nn.Module)
        ]
        replace = _ring if kind == "ring" else _ulysses
        # All are checked before one is changed.
        cores = [replace(name, each, group, layout) for name, each in found]
        for (_, module), core in zip(found, cores, strict=True):
            module.core = core

    def share(
        self,
        tokens: Int[Tensor, "B T"],
        targets: Int[Tensor, "B _"],
        documents: Int[Tensor, "B _"] | None = None,
    ) -> Share:
        """Return what this rank reads.

        Rows whose length 2 W does not divide are padded at their ends.

        Args:
            tokens: of whole rows, the same on all ranks.
            targets: the tokens that came next.
            documents: as ``model.hidden`` takes them.

        Raises:
            ValueError: the rows are longer than the model is for, or shapes
                differ.
        """
        n_tokens, size = tokens.shape[1], self.group.size()
        self._check(tokens, targets, documents)
        missing = -n_tokens % (2 * size)
        if missing:
            if documents is None:
                documents = torch.zeros_like(tokens)
            tokens = F.pad(tokens, (0, missing))
            targets = F.pad(targets, (0, missing), value=-100)
            documents = F.pad(documents, (0, missing), value=-1)
        packed = None if documents is None else Documents.of(documents)
        chunks = self.layout(n_tokens + missing, size)[self.group.rank()]
        here = positions_of(chunks).to(tokens.device)
        if packed is None:
            positions = here.expand(len(tokens), -1)
        else:
            positions = packed.positions[:, here]
        return Share(tokens[:, here], targets[:, here], positions, packed)

    def hidden(self, share: Share) -> Float[Tensor, "B T D"]:
        """Return what the head reads at this rank's positions.

        All ranks must call it, since each one's keys are needed.

        Args:
            share: of the same rows on all ranks.
        """
        return self.model.hidden(
            share.tokens, documents=share.documents, positions=share.positions
        )

    def loss(
        self,
        tokens: Int[Tensor, "B T"],
        targets: Int[Tensor, "B _"],
        documents: Int[Tensor, "B _"] | None = None,
    ) -> Loss:
        """Return the sum and the count of this rank's positions.

        The mean is over the count of all ranks
        (:func:`~scratchlm.scaling.data_parallel.global_loss.sum_over_ranks`).

        Args:
            tokens: of whole rows, the same on all ranks.
            targets: the tokens that came next.
            documents: as ``model.hidden`` takes them.

        Raises:
            ValueError: see :meth:`share`; or a token or a target is not in
                the vocabulary.
        """
        share = self.share(tokens, targets, documents)
        weight: Tensor = self.model.head.weight
        return next_token_loss(self.hidden(share), weight, share.targets)

    def _check(
        self, tokens: Tensor, targets: Tensor, documents: Tensor | None
    ) -> None:
        most = self.model.embedding.max_tokens
        if documents is None and tokens.shape[1] > most:
            raise ValueError(
                f"{tokens.shape[1]} positions, but the model has vectors for "
                f"{most}; shorten the text"
            )
        for name, given in (("targets", targets), ("documents", documents)):
            if given is not None and given.shape != tokens.shape:
                raise ValueError(
                    f"{name} have shape {tuple(given.shape)}, and tokens "
                    f"{tuple(tokens.shape)}; give one for each"
                )


def _ring(
    name: str, module: Any, group: dist.ProcessGroup, layout: Layout
) -> nn.Module:
    core = module.core
    if not isinstance(core, DotProduct | Tiled):
        raise ValueError(
            f"the core of {name} is {type(core).__name__}, whose scores a "
            f'ring does not know; use DotProduct or Tiled, or kind="ulysses"'
        )
    return RingAttention(
        group, mask=core.mask, scale=core.scale, layout=layout
    )


def _ulysses(
    name: str, module: Any, group: dist.ProcessGroup, layout: Layout
) -> nn.Module:
    require_alike_heads(name, module.core)
    size = group.size()
    if getattr(module, "n_heads", size) % size:
        raise ValueError(
            f"{name} has {module.n_heads} query heads, which do not go to "
            f"{size} ranks evenly; use a number of ranks that divides it, or "
            f'kind="ring", which cuts no heads'
        )
    return Ulysses(group, module.core, layout=layout)
