"""Load and save models as people publish them on the Hugging Face hub."""

import json
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from scratchlm.foundation.durable import replacing, write_whole
from scratchlm.interop.blank import EMBEDDING, state_of
from scratchlm.interop.files import (
    CONFIG,
    INDEX,
    WEIGHTS,
    Problems,
    find_folder,
    read_settings,
    read_tensors,
    weights_in,
)
from scratchlm.interop.hf.architecture import (
    describe,
    find_family,
    read_config,
)
from scratchlm.interop.hf.assembly import Checkpoint, assemble
from scratchlm.interop.hf.tokenizer import read_tokenizer
from scratchlm.interop.hf.weights import Weights, publish
from scratchlm.interop.settings import Settings
from scratchlm.model.published.kernel_parts import with_kernels
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.text.tokenizer.base import SubwordTokenizer

_END = "<|endoftext|>"
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


class Loaded(NamedTuple):
    """What a folder held.

    Args:
        model: on the CPU, with weights of one type; Gemma's norms, which
            are made of what the file has, stay in float32.
        tokenizer: None if there is none that this package can read.
    """

    model: Transformer
    tokenizer: SubwordTokenizer | None


def load(
    place: str | Path,
    *,
    revision: str | None = None,
    dtype: torch.dtype | None = None,
) -> Loaded:
    """Make a model of a published one, from the faster parts.

    Weights that need no change are views of the file, so that loading takes
    no time and memory until they are used. To write into them, in training,
    changes the memory and never the file.

    A head that differs from the embedding is used, with a warning, though
    the settings call the two tied.

    Args:
        place: a folder with ``config.json`` and safetensors, or the name of
            a repository on the Hugging Face hub.
        revision: branch, tag or commit of the repository.
        dtype: that all weights get. If None, the one that the files have;
            where they have several, the one that ``config.json`` names.

    Raises:
        ValueError: all that is wrong: files, settings, tensors.
    """
    folder, problems = find_folder(place, revision=revision), Problems()
    tensors = read_tensors(folder, "pt", problems)
    whole = not problems.found
    model = tokenizer = config = None
    with problems:
        settings = read_settings(folder / CONFIG)
        family = find_family(settings)
        config = read_config(family, settings, problems)
    if whole and config is not None:
        held = Checkpoint(family, settings, tensors, dtype)
        model = assemble(held, with_kernels(config), problems)
    with problems:
        tokenizer = read_tokenizer(folder)
    problems.raise_for(f"cannot load a model from {folder}")
    assert model is not None
    return Loaded(model, tokenizer)


def save(  # noqa: PLR0913
    model: Transformer,
    tokenizer: SubwordTokenizer | None,
    folder: str | Path,
    *,
    like: str | Path | None = None,
    architecture: str | None = None,
    max_shard_bytes: int = 1 << 32,
) -> None:
    """Write a model so that transformers can load it.

    The architecture is the first whose settings, read back, describe the
    same parts. Files of the folder that are not of the model, such as
    ``generation_config.json``, stay. A kill leaves weights that are all old
    or all new, but may leave them beside the other model's settings.

    Args:
        model: any that a published architecture describes.
        tokenizer: saved beside it; if None, what lies there stays.
        folder: where; made if it is missing.
        like: a published model, as for :func:`load`, whose ids of the
            tokens that begin, end and fill up a text are kept. If None,
            the tokenizer's ``<|endoftext|>`` begins and ends; without one
            the ids that ``folder`` names stay, and a new folder names none,
            so that ``generate`` of transformers does not end.
        architecture: the one to write, where several would do.
        max_shard_bytes: weights go into several files from this size on; a
            larger tensor gets a file of its own.

    Raises:
        ValueError: no architecture has these parts, the tokenizer has more
            tokens than the model, ``like`` is no model, or the folder cannot
            be written. What was on disk is left as it was.
    """
    family, settings = describe(model.config, architecture)
    _check(model, tokenizer)
    state = state_of(model)
    dtype = state[EMBEDDING].dtype
    tensors = publish(state, family.rules, dtype)
    folder = Path(folder)
    settings["torch_dtype"] = str(dtype).removeprefix("torch.")
    settings |= _ids(tokenizer, folder, like)
    text = json.dumps(settings, indent=2)
    with replacing(folder, weights_in(folder)) as stage:
        _write_tensors(tensors, stage, max_shard_bytes, taken=folder)
        if tokenizer is not None:
            tokenizer.save(stage)
        write_whole(stage / CONFIG, text.encode())


def _ids(
    tokenizer: SubwordTokenizer | None, folder: Path, like: str | Path | None
) -> Settings:
    """Which tokens begin, end and fill up a text."""
    end = tokenizer and tokenizer.special_tokens.get(_END)
    # Or transformers takes the family's own, which mean other tokens.
    ids: dict[str, Any] = dict.fromkeys(_IDS[:2], end)
    if like is not None:
        ids = read_settings(find_folder(like) / CONFIG)
    elif end is None:
        with Problems():  # a broken file names none, as a missing one
            ids |= read_settings(folder / CONFIG)
    return {name: ids[name] for name in _IDS if name in ids}


def _check(model: Transformer, tokenizer: SubwordTokenizer | None) -> None:
    """Refuse what could be written and not be read back as it is."""
    config = model.config
    if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens and the model "
            f"{config.vocab_size}; save it with its own tokenizer"
        )
    one, other = model.head.weight, model.embedding.tokens.weight
    if config.tied and one is not other:
        raise ValueError(
            "the config says that head and embedding are tied, and they are "
            "two tensors; tie them, or replace(config, tied=False)"
        )


def _write_tensors(
    tensors: Weights, stage: Path, max_bytes: int, *, taken: Path
) -> None:
    """Write one file, or several and an index."""
    shards: list[dict[str, Tensor]] = [{}]
    held = 0
    for name, tensor in tensors.items():
        if held and held + tensor.nbytes > max_bytes:
            shards.append({})
            held = 0
        shards[-1][name] = tensor
        held += tensor.nbytes
    files = [WEIGHTS]
    if len(shards) > 1:
        files = _shard_names(len(shards), taken)
        places = {
            name: file
            for file, shard in zip(files, shards, strict=True)
            for name in shard
        }
        total = {"total_size": sum(t.nbytes for t in tensors.values())}
        index = {"metadata": total, "weight_map": places}
        write_whole(stage / INDEX, json.dumps(index, indent=2).encode())
    for file, shard in zip(files, shards, strict=True):
        whole = {name: tensor.contiguous() for name, tensor in shard.items()}
        # transformers refuses a file that does not name its framework.
        save_file(whole, stage / file, metadata={"format": "pt"})


def _shard_names(n: int, folder: Path) -> list[str]:
    """Names of no file there: an old index has old shards until it goes."""
    tries = (
        [f"model{part}-{i:05}-of-{n:05}.safetensors" for i in range(1, n + 1)]
        for part in chain([""], map("-{}".format, count(2)))
    )
    return next(t for t in tries if not any((folder / f).exists() for f in t))
