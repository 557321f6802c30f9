"""A model without numbers, to be filled with those of a file."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

EMBEDDING, HEAD = "embedding.tokens.weight", "head.weight"


class _Undrawn(TorchFunctionMode):
    """Draw no weights: the file has them.

    On the meta device it would change nothing either, and PyTorch would
    import its compiler to do so, for some seconds and megabytes.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", None) == init.__name__:
            return given["tensor"] if "tensor" in given else args[0]
        if func in (Tensor.uniform_, Tensor.normal_):
            return args[0]
        return func(*args, **given)


def blank(config: TransformerConfig) -> Transformer:
    """Make a model that takes no memory: its tensors have only shapes.

    Args:
        config: sizes and parts.

    Raises:
        ValueError: the parts' own, where they do not fit together.
    """
    with torch.device("meta"), _Undrawn():
        return Transformer(config)


def state_of(model: Transformer) -> dict[str, Tensor]:
    """Return a model's tensors by name, a tied head left out."""
    state = dict(model.state_dict())
    if model.config.tied:
        del state[HEAD]
    return state


def fill(model: Transformer, state: dict[str, Tensor]) -> None:
    """Make tensors the weights of a model, without a copy.

    Args:
        model: whose weights they replace.
        state: as :func:`state_of` gives it.
    """
    if model.config.tied:
        state = state | {HEAD: state[EMBEDDING]}
    model.load_state_dict(state, assign=True)
    if model.config.tied:  # to assign gave each its own parameter
        model.head.weight = model.embedding.tokens.weight
