"""What the tensors of a file are called, and what a model wants.

PyTorch is not needed.
"""

import warnings
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from scratchlm.interop.files import Problems, listed

Tensors = TypeVar("Tensors")
# What torch.compile, DistributedDataParallel, FSDP and activation
# checkpointing put between a module's name and its inside.
_WRAPPERS = {
    "_orig_mod",
    "module",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
}
_HEADS = "num_key_value_heads"


def unwrapped(
    tensors: Mapping[str, Tensors],
    problems: Problems,
    *,
    prefix: str,
    embedding: str,
    head: str,
) -> dict[str, Tensors]:
    """Return tensors under the names that the family gives them.

    A wrapper around a model stands in the names of its weights, and so does
    the attribute that holds a model in a larger one. Both are left out, with
    a warning.

    Args:
        tensors: by the names of the file.
        problems: takes names that cannot be mended.
        prefix: what the family's names begin with; a file that holds a
            model without its head leaves it out, and gets it back.
        embedding: the name of the token embedding, prefix included.
        head: the name of the head, which has no prefix.
    """
    inner = {
        name: ".".join(p for p in name.split(".") if p not in _WRAPPERS)
        for name in tensors
    }
    outer, bare = _outer(inner.values(), prefix, embedding, head)
    problem = _beyond_mending(inner, outer)
    if problem:
        problems.add(problem)
        return {}
    names = {name: short[len(outer) :] for name, short in inner.items()}
    wrapped = {name for name, short in names.items() if short != name}
    if wrapped:
        warnings.warn(
            f"a wrapper's part is left out of names such as {min(wrapped)}",
            stacklevel=4,
        )
    added = prefix if bare else ""
    return {
        short if short == head else added + short: tensors[name]
        for name, short in names.items()
    }


def _beyond_mending(inner: Mapping[str, str], outer: str) -> str:
    """Say what is wrong with names that cannot be had without a wrapper."""
    adapters = {name for name in inner if "lora_" in name}
    if adapters:
        return (
            f"{listed(adapters)} are of LoRA adapters: load them with peft "
            "on their base model, merge_and_unload(), and save that"
        )
    beside = {n for n, short in inner.items() if not short.startswith(outer)}
    if beside:
        return (
            f"the model's names begin with {outer!r}, and {listed(beside)} "
            "beside it do not; save the language model alone"
        )
    if len(set(inner.values())) < len(inner):
        return (
            "tensors of two models have the same names but for a wrapper's, "
            f"such as {listed(inner, 2)}; save one of them alone"
        )
    return ""


def _outer(
    names: Collection[str], prefix: str, embedding: str, head: str
) -> tuple[str, bool]:
    """What all names begin with, and whether the prefix is left out."""
    inside = embedding.removeprefix(prefix)
    for wanted, bare in (embedding, False), (inside, True), (head, False):
        found = [n for n in names if n == wanted or n.endswith("." + wanted)]
        if found:
            return min(found, key=len)[: -len(wanted)], bare
    return "", False


def compare(
    wanted: Mapping[str, Any],
    given: Mapping[str, Any],
    what: str,
    problems: Problems,
    *,
    head: str,
) -> None:
    """Tell which tensors are missing, superfluous or of another shape.

    Args:
        wanted: what the settings say, by name: anything with a shape.
        given: what the file holds.
        what: the kind of model, in words.
        problems: takes what differs, a line for each kind.
        head: the name of the head.
    """
    missing = set(wanted) - set(given)
    extra = set(given) - set(wanted)
    if missing:
        tie = "; if it is the embedding, set tie_word_embeddings to true"
        told = tie if head in missing else ""
        problems.add(f"missing: {listed(missing)}{told}")
    if extra:
        problems.add(f"not part of {what}: {listed(extra)}")
    unlike = sorted(
        name
        for name in set(wanted) & set(given)
        if tuple(given[name].shape) != tuple(wanted[name].shape)
    )
    if unlike:
        name = unlike[0]
        shape, due = tuple(given[name].shape), tuple(wanted[name].shape)
        more = f"; so have {len(unlike) - 1} more" if unlike[1:] else ""
        problems.add(
            f"{name} has the shape {shape}, not {due} as the settings say"
            f"{more}"
        )


def key_heads(
    settings: Mapping[str, Any],
    shape: tuple[int, int],
    assumed: tuple[int, int | None],
    problems: Problems,
) -> int:
    """Return the number of key heads, where settings may not say it.

    Args:
        settings: as ``config.json`` holds them.
        shape: rows of the matrix of keys, and the width of a head.
        assumed: what was read, which is a key head for each query head
            where settings say nothing; and what transformers assumes then,
            if that is something else.
        problems: takes that the file has yet another number.
    """
    (rows, d_head), (read, usual) = shape, assumed
    heads, left = divmod(rows, d_head)
    if settings.get(_HEADS) is not None or heads == read or left:
        return read
    if heads == usual:
        return heads
    problems.add(
        f"{_HEADS} is missing, which stands for {read}, and keys have {rows} "
        f"rows, {d_head} for each head: write {heads} into config.json"
    )
    return heads
