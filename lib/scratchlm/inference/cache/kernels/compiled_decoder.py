"""A model whose next tokens come from compiled blocks."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.inference.cache.kernels.row_linear import exchange_linears
from scratchlm.inference.cache.kernels.single_query import SingleQuery
from scratchlm.inference.cache.static import Slots
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.published.kernel_parts import with_definitions
from scratchlm.model.transformer.transformer import (
    Cache,
    Transformer,
    TransformerConfig,
)

# Inductor repeats a short computation wherever its result is read, such as
# the norm of x for each row of a weight that x is multiplied by. From this
# many inputs on it writes the result down instead; by default from 5.
_OPTIONS = {"realize_reads_threshold": 2}


def for_single_queries(config: TransformerConfig) -> TransformerConfig:
    """Return the same model with :class:`SingleQuery` for its dot products.

    Args:
        config: sizes and parts.
    """
    core = config.core
    parts = core if isinstance(core, tuple) else (core,)
    return replace(config, core=tuple(map(_single, parts)))


def _single(core: Any) -> Any:
    if isinstance(core, partial):
        return partial(_single(core.func), *core.args, **core.keywords)
    return SingleQuery if core is DotProduct else core


class CompiledDecoder(nn.Module):
    """A transformer whose steps of one token are compiled.

    The prompt is read by the model as it is. Each later token goes through
    the same weights, in blocks that ``torch.compile`` has turned into a few
    loops each, those of the linear layers included if there is one row. All
    blocks are alike to the compiler, so one compilation serves them all. Use
    it with :class:`~scratchlm.inference.cache.static.StaticCache`.

    A batch of another size, other slots and another number of threads are
    compiled anew, which takes seconds. PyTorch does so eight times for one
    kind of block in a process, then warns, and goes on uncompiled;
    ``torch.compiler.reset()`` lets it begin again.

    Args:
        model: a transformer; its weights are shared, not copied, so that
            changes in place are seen. Where others have taken their place,
            as after ``model.to``, the next prompt is refused.
    """

    def __init__(self, model: Transformer):
        super().__init__()
        self.model, self.config = model, model.config
        config = for_single_queries(with_definitions(model.config))
        with torch.device("meta"):
            step = Transformer(
                replace(config, init=lambda model, n_layers: None)
            )
        step.load_state_dict(model.state_dict(), assign=True)
        self.step = step.to(next(model.parameters()).device).eval()
        if config.tied:
            self.step.head.weight = self.step.embedding.tokens.weight
        exchange_linears(self.step)
        for part in (*self.step.blocks, self.step.head):
            part.compile(dynamic=False, options=_OPTIONS)

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks of the model."""
        return self.model.blocks

    @property
    def head(self) -> nn.Module:
        """The head of the model, compiled."""
        head: nn.Module = self.step.head
        return head

    def hidden(
        self,
        tokens: Int[Tensor, "B T"],
        *,
        cache: Cache | None = None,
        documents: Int[Tensor, "B S"] | Documents | None = None,
        positions: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return what the head reads.

        Args:
            tokens: ids below ``vocab_size``.
            cache: see :class:`Transformer`.
            documents: see :class:`Transformer`.
            positions: see :class:`Transformer`.

        Raises:
            ValueError: the model has other weights than when this was made.
        """
        step = isinstance(documents, Slots)
        if not step:
            self._check_weights()
        x: Tensor = (self.step if step else self.model).hidden(
            tokens, cache=cache, documents=documents, positions=positions
        )
        return x

    def _check_weights(self) -> None:
        shared = self.step.state_dict()
        for name, weight in self.model.state_dict().items():
            if weight.data_ptr() != shared[name].data_ptr():
                raise ValueError(
                    f"{name} has been replaced since the decoder was made, "
                    "which still has the old one; make a new CompiledDecoder"
                )
