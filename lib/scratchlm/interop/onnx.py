"""A model as an ONNX graph, for programs without PyTorch."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from scratchlm.foundation.durable import replacing
from scratchlm.interop.blank import blank, fill, state_of
from scratchlm.interop.settings import settings_of
from scratchlm.model.attention.masks import Hidden, Mask
from scratchlm.model.published.kernel_parts import with_definitions
from scratchlm.model.transformer.transformer import Part, Transformer

_TOKENS, _LOGITS = "tokens", "logits"


@dataclass(frozen=True)
class Explicit:
    """A mask that is always spelled out.

    A mask may tell a kernel that nothing is hidden, or only the future. It
    depends on the length, and a graph is recorded at one length.

    Args:
        mask: what is hidden.
    """

    mask: Mask

    def hides(self, n_tokens: int, n_keys: int) -> Hidden:
        """Return ``"more"``, whatever the length."""
        return "more"

    def visible(
        self, n_tokens: int, n_keys: int, device: torch.device
    ) -> Bool[Tensor, "T S"]:
        """Return what the mask says."""
        return self.mask.visible(n_tokens, n_keys, device)


def export(model: Transformer, path: str | Path) -> None:
    """Write a model as an ONNX graph.

    The graph has the input ``tokens``, int64 of shape (B, T), and the output
    ``logits`` of shape (B, T, V), for any B and T. Weights above 2 GB lie in
    a second file beside it.

    Args:
        model: any whose computation does not depend on its numbers: experts
            are out, since which of them a token visits does.
        path: of the graph; its folder is made if it is missing.

    Raises:
        ValueError: PyTorch cannot turn a part into ONNX; the message has its
            reason. What was on disk is left as it was.
    """
    path = Path(path)
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    any_size = torch.export.Dim.DYNAMIC
    with replacing(path.parent) as stage, _quiet(), torch.no_grad():
        try:
            # One attempt; given a model, the next line would make three.
            recorded = torch.export.export(
                _spelled_out(model),
                (tokens.to(model.head.weight.device),),
                dynamic_shapes={_TOKENS: {0: any_size, 1: any_size}},
                strict=False,
            )
            program = torch.onnx.export(
                recorded,
                input_names=[_TOKENS],
                output_names=[_LOGITS],
                dynamo=True,
                verbose=False,
            )
        except RuntimeError as error:
            raise ValueError(
                f"a part of this model has no form in ONNX: {error}"
            ) from error
        assert program is not None
        program.save(stage / path.name)


def _spelled_out(model: Transformer) -> Transformer:
    """The model as the chapters derive it, with explicit masks.

    Its weights are the same tensors.
    """
    config = with_definitions(model.config)
    layers = range(config.n_layers)
    core = tuple(_explicit(config.part("core", i)) for i in layers)
    copy = blank(replace(config, core=core))
    fill(copy, state_of(model))
    # Angles are no weights, and lie where they were computed.
    return copy.to(model.head.weight.device).eval()


def _explicit(core: Part) -> Part:
    mask = settings_of(core).get("mask")
    return core if mask is None else partial(core, mask=Explicit(mask))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says about PyTorch's own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
