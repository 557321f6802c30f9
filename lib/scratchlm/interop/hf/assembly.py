"""A model from the tensors of a published file."""

import re
import warnings
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from scratchlm.interop.blank import EMBEDDING, blank, fill, state_of
from scratchlm.interop.files import Problems
from scratchlm.interop.hf.families import Family
from scratchlm.interop.hf.weights import Weights, adopt, publish
from scratchlm.interop.number_types import one_type, tell_overflow
from scratchlm.interop.settings import Settings
from scratchlm.interop.tensor_names import compare, key_heads, unwrapped
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

_KEYS = "blocks.{i}.attention.key.weight"


class Checkpoint(NamedTuple):
    """What was read of a published model.

    Args:
        family: that ``config.json`` names.
        settings: all that it says.
        tensors: by the names of the files.
        dtype: that the weights get; None where the files say it.
    """

    family: Family
    settings: Settings
    tensors: Weights
    dtype: torch.dtype | None


def assemble(
    held: Checkpoint, config: TransformerConfig, problems: Problems
) -> Transformer | None:
    """Return a model whose weights are the tensors.

    Args:
        held: what was read.
        config: what the settings say.
        problems: takes tensors that do not fit it.

    Returns:
        None if there were problems.
    """
    tensors = _named_alike(held, problems)
    if not problems.found:
        _bound(config, tensors, problems)
    if problems.found:
        return None
    config = _with_key_heads(held, config, tensors, problems)
    kind = _type_of(held, tensors, problems)
    config, tensors = _with_head(held.family, config, tensors, kind)
    with problems:
        model = blank(config)
        state = state_of(model)
        wanted = publish(state, held.family.rules, torch.float32)
        what, head = held.family.architecture, held.family.head
        compare(wanted, tensors, what, problems, head=head)
        if kind is not None and not problems.found:
            tensors = _converted(tensors, kind, problems)
        if not problems.found:
            shapes = {name: weight.shape for name, weight in state.items()}
            fill(model, adopt(tensors, held.family.rules, shapes))
        return model
    return None


def _named_alike(held: Checkpoint, problems: Problems) -> Weights:
    """The tensors that matter, under the names of the family."""
    family = held.family
    tensors = unwrapped(
        held.tensors,
        problems,
        prefix=family.prefix,
        embedding=_their_name(family, EMBEDDING) or "",
        head=family.head,
    )
    obsolete = re.compile(family.obsolete)
    return {n: t for n, t in tensors.items() if not obsolete.fullmatch(n)}


def _their_name(family: Family, ours: str) -> str | None:
    """What a family calls a tensor that it keeps alone."""
    return next((r.theirs[0] for r in family.rules if r.ours == (ours,)), None)


def _bound(
    config: TransformerConfig, tensors: Weights, problems: Problems
) -> None:
    """Refuse sizes that no tensor has, before a model is made of them."""
    if config.n_layers > len(tensors):
        problems.add(
            f"{config.n_layers} layers, but {len(tensors)} tensors in all"
        )
    longest = max(max(t.shape, default=1) for t in tensors.values())
    for name in ("vocab_size", "d_model", "d_head", "n_heads", "d_ff"):
        if getattr(config, name) > longest:
            problems.add(
                f"{name} is {getattr(config, name)}, but no tensor has a "
                f"side above {longest}"
            )


def _with_key_heads(
    held: Checkpoint,
    config: TransformerConfig,
    tensors: Weights,
    problems: Problems,
) -> TransformerConfig:
    name = _their_name(held.family, _KEYS)
    keys = None if name is None else tensors.get(name.format(i=0))
    if keys is None:
        return config
    n_kv_heads = key_heads(
        held.settings,
        (keys.shape[0], config.d_head),
        (config.n_kv_heads, held.family.n_kv_heads),
        problems,
    )
    return replace(config, n_kv_heads=n_kv_heads)


def _type_of(
    held: Checkpoint, tensors: Weights, problems: Problems
) -> torch.dtype | None:
    kinds = {name: _called(tensor.dtype) for name, tensor in tensors.items()}
    asked = None if held.dtype is None else _called(held.dtype)
    chosen = one_type(kinds, held.settings, asked, problems)
    return None if chosen is None else getattr(torch, chosen)


def _called(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _with_head(
    family: Family,
    config: TransformerConfig,
    tensors: Weights,
    kind: torch.dtype | None,
) -> tuple[TransformerConfig, Weights]:
    """Untie a head that the file has and that is not the embedding.

    transformers does the same, and takes the head for the embedding where
    the file has only that.
    """
    name = _their_name(family, EMBEDDING) or ""
    head, embedding = tensors.get(family.head), tensors.get(name)
    if not config.tied or head is None:
        return config, tensors
    rest = {n: t for n, t in tensors.items() if n != family.head}
    if embedding is None:
        return config, rest | {name: head}
    if torch.equal(head.to(kind), embedding.to(kind)):
        return config, rest
    warnings.warn(
        f"{family.head} differs from {name}, though tie_word_embeddings is "
        "true: each is used where it belongs. Set tie_word_embeddings to "
        "false in config.json, or save the model, which does it",
        stacklevel=4,
    )
    return replace(config, tied=False), tensors


def _converted(
    tensors: Weights, kind: torch.dtype, problems: Problems
) -> dict[str, Tensor]:
    """The tensors in one type; one that has it stays a view of the file."""
    made = {name: tensor.to(kind) for name, tensor in tensors.items()}
    most = torch.finfo(kind).max
    tell_overflow(
        {
            name
            for name, tensor in tensors.items()
            if torch.finfo(tensor.dtype).max > most
            and bool((made[name].isinf() & tensor.isfinite()).any())
        },
        _called(kind),
        problems,
    )
    return made
