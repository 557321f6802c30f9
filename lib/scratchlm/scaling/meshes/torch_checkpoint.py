"""Checkpoints in PyTorch's distributed format, for any mesh."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.filesystem import (
    FileSystemReader,
    FileSystemWriter,
)
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.tensor import DTensor

from scratchlm.foundation.durable import atomic_folder
from scratchlm.scaling.meshes.torch_shards import TorchShards
from scratchlm.training.optimizers.groups import owner_of

MODEL, OPTIMIZER = "model", "optimizer"


class Owned(NamedTuple):
    """A parameter, the key it is saved under, and what is kept about it."""

    key: str
    parameter: Tensor
    state: dict[str, Any]
    counts: bool


def save(path: Path, shards: TorchShards, optimizer: Any, tie: str) -> None:
    """Save a model and its optimizer's state; every rank calls it.

    The folder is complete or absent. A weight that several ranks hold is
    written by one of them: of equal keys PyTorch keeps one rank's value, for
    one key this rank's and for the next that one's.

    Args:
        path: of a folder on a disk that all ranks see.
        shards: of this rank.
        optimizer: of this rank.
        tie: the name under which copies are saved.

    Raises:
        ValueError: there is no folder for it, or a file has its name.
    """
    if not path.parent.is_dir() or path.is_file():  # on all ranks alike
        problem = "is a file" if path.is_file() else "has no folder"
        raise ValueError(f"cannot write {path}: it {problem}")
    found: dict[str, Tensor] = {}
    first = shards.mesh.at["dp"] == shards.mesh.at["cp"] == 0
    for each in _owned(shards, optimizer, tie):
        if not each.counts:
            continue
        found[f"{MODEL}.{each.key}"] = each.parameter.detach()
        for name, value in each.state.items():
            if isinstance(value, DTensor) or first:
                found[_state_key(each.key, name)] = torch.as_tensor(value)
    group = shards.mesh.whole
    with ExitStack() as stack:
        told: list[Any] = [None]
        if group.rank() == 0:
            told = [str(stack.enter_context(atomic_folder(path)))]
        dist.broadcast_object_list(told, group=group, group_src=0)
        state_dict_saver.save(
            found,
            storage_writer=FileSystemWriter(told[0]),
            process_group=group,
        )
    dist.barrier(group=group)  # until it has its name


def load(
    path: Path,
    shards: TorchShards,
    optimizer: Any,
    tie: str,
    *,
    shapes: Mapping[str, torch.Size],
) -> None:
    """Load what any mesh has saved; every rank calls it.

    PyTorch's metadata are a pickle, which can execute code when it is read:
    load what you have saved yourself, and give others safetensors.

    Args:
        path: of the folder.
        shards: of this rank; its numbers are overwritten.
        optimizer: of this rank; its settings stay.
        tie: the name under which copies are saved.
        shapes: of all parameters of the model, by name.

    Raises:
        ValueError: there is no complete checkpoint, or it is of another
            model.
    """
    if not (path / ".metadata").is_file():
        raise ValueError(
            f"{path} has no .metadata, which is written last; give a folder "
            f"that Engine.save has finished"
        )
    saved = FileSystemReader(path).read_metadata().state_dict_metadata
    _check_shapes(path, saved, shapes)
    wanted: dict[str, Tensor] = {}
    numbers: list[tuple[dict[str, Any], str]] = []
    for each in _owned(shards, optimizer, tie):
        wanted[f"{MODEL}.{each.key}"] = each.parameter.detach()
        each.state.clear()
        start = _state_key(each.key, "")
        for key, about in saved.items():
            if key.startswith(start):
                name = key.removeprefix(start)
                empty = _empty(about, each.parameter)
                wanted[key] = each.state[name] = empty
                if not (empty.ndim or empty.is_floating_point()):
                    numbers.append((each.state, name))
    state_dict_loader.load(
        wanted,
        storage_reader=FileSystemReader(path),
        process_group=shards.mesh.whole,
    )
    for state, name in numbers:  # such as steps, a number of Python's
        state[name] = int(state[name])


def _state_key(key: str, name: str) -> str:
    # The name of a parameter ends where the colon is.
    return f"{OPTIMIZER}.{key}:{name}"


def _owned(shards: TorchShards, optimizer: Any, tie: str) -> Iterator[Owned]:
    for name, p in shards.module.named_parameters():
        owner = owner_of(optimizer, p)
        state = {} if owner is None else owner.state[p]
        key = tie if name in shards.copies else name
        yield Owned(key, p, state, shards.counts(name, p))


def _check_shapes(
    path: Path, saved: Mapping[str, Any], shapes: Mapping[str, torch.Size]
) -> None:
    there = {
        key.removeprefix(f"{MODEL}."): tuple(about.size)
        for key, about in saved.items()
        if key.startswith(f"{MODEL}.")
    }
    here = {name: tuple(shape) for name, shape in shapes.items()}
    differing = [
        f"{name} is {there.get(name, 'missing')} there and "
        f"{here.get(name, 'missing')} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if differing:
        raise ValueError(
            f"{path} is of another model: {'; '.join(differing[:5])}. Build "
            f"the model that was saved"
        )


def _empty(about: Any, p: Tensor) -> Tensor:
    assert isinstance(about, TensorStorageMetadata)
    if about.size == p.shape:
        return torch.zeros_like(p.detach(), dtype=about.properties.dtype)
    return torch.zeros(about.size, dtype=about.properties.dtype)
