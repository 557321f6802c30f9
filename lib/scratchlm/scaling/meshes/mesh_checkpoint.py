"""Checkpoints that ranks write together, and that any mesh can read.

::

    step-00000400/
      rank-00000.safetensors   the parts that this rank was to write
      rank-00001.safetensors
      index.json               which block of which tensor lies where
      manifest.json            step, run, and the sha256 of all the others

A file holds blocks of whole tensors. The index says where in its tensor each
of them lies, so that a rank of another mesh finds the numbers it needs.
"""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from scratchlm.foundation.durable import (
    PARTIAL,
    PartialFile,
    atomic_folder,
    only_writer,
    tidy,
)
from scratchlm.scaling.data_parallel.agreement import (
    gather_bytes,
    together,
    told_by_first,
)
from scratchlm.scaling.meshes.blocks import (
    INDEX,
    WEIGHT,
    Block,
    Index,
    whole_box,
)
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.training.optimizers.groups import owner_of
from scratchlm.training.pretraining.checkpoint import (
    checkpoints,
    refuse_other_runs,
    thin_out,
)
from scratchlm.training.pretraining.manifest import (
    MANIFEST,
    Damaged,
    differences,
    identity,
    manifest_of,
    verified,
)
from scratchlm.training.pretraining.tensor_file import write_tensors
from scratchlm.training.pretraining.tree import join, split

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def save_on_mesh(
    folder: Path,
    parallel: MeshParallel,
    step: int,
    *,
    keep: int = 2,
    about: Mapping[str, Any] = _NOTHING,
) -> Path:
    """Save weights and optimizer, each rank what it alone is to write.

    Every rank calls it, and all see the same folder. After a kill of any of
    them at any moment the checkpoint is whole or absent.

    Args:
        folder: for the checkpoints of one run; made if it is missing.
        parallel: between two steps.
        step: the number of steps that have been made.
        keep: how many checkpoints stay, at least 1.
        about: what identifies the run.

    Returns:
        The folder of this checkpoint.

    Raises:
        ValueError: an argument cannot be saved, the folder holds checkpoints
            of another run, or a rank could not write; each rank says what
            failed where. The checkpoints that were there are as they were.
    """
    if keep < 1 or step < 0:
        raise ValueError(
            f"keep is {keep} and step {step}; give 1 and 0, or more"
        )
    group, path = parallel.mesh.whole, folder / f"step-{step:08d}"
    run = identity(about)
    manifest = partial(manifest_of, step, run)
    parts = _parts_to_write(parallel)
    with ExitStack() as stack:
        stage = Path(
            told_by_first(group, lambda: _stage(stack, folder, path, run))
        )
        own = together(group, lambda: _write(stage, group.rank(), parts))
        every = [json.loads(each) for each in gather_bytes(own, group)]
        told_by_first(group, lambda: _finish(stage, path, every, manifest))
        told_by_first(group, lambda: _thin_out(folder, step, keep))
    return path


def load_on_mesh(
    folder: Path,
    parallel: MeshParallel,
    *,
    about: Mapping[str, Any] | None = None,
) -> int:
    """Load the newest whole checkpoint, whatever mesh has written it.

    Every rank calls it, and reads what its own place needs.

    Args:
        folder: what :func:`save_on_mesh` was given.
        parallel: whose weights and optimizer are overwritten.
        about: what identifies the run that asks.

    Returns:
        The number of steps that had been made.

    Raises:
        ValueError: there is no whole checkpoint, or it is of another model
            or another run. Nothing is overwritten then.
    """
    group, parts = parallel.mesh.whole, parallel.parts
    told = json.loads(told_by_first(group, lambda: _newest(folder, about)))
    index = Index(Path(told["path"]))

    def check() -> bytes:
        index.require(
            {
                parts.firsts[name]: parts.shape(name, parallel.shape(p))
                for name, p in parts
            }
        )
        return b""

    together(group, check)
    with parallel.moving():
        for name, p in parts:
            _load(parallel, index, name, p)
    return int(told["step"])


def load_whole(folder: Path, model: nn.Module) -> int:
    """Load the newest whole checkpoint's weights in one process.

    Args:
        folder: what :func:`save_on_mesh` was given.
        model: of the same architecture; its weights are overwritten.

    Returns:
        The number of steps that had been made.

    Raises:
        ValueError: there is no whole checkpoint, or it is of another model.
    """
    told = json.loads(_newest(folder, None))
    index = Index(Path(told["path"]))
    named = dict(model.named_parameters())
    index.require({name: tuple(p.shape) for name, p in named.items()})
    with torch.no_grad():
        for name, p in named.items():
            p.copy_(index.read(name, WEIGHT, whole_box(p.shape)))
    return int(told["step"])


@dataclass(kw_only=True)
class _ToWrite:
    """What one rank writes."""

    tensors: dict[str, Tensor]  # by the key in its file
    blocks: dict[str, dict[str, dict[str, Any]]]  # by name and part
    rest: dict[str, Any]  # of each name, what is no tensor


def _parts_to_write(parallel: MeshParallel) -> _ToWrite:
    """Take turns: of the ranks that hold the same, one writes each.

    Pieces of ZeRO are joined for it, one parameter at a time.
    """
    parallel.hide()
    found = _ToWrite(tensors={}, blocks={}, rest={})
    file = f"rank-{parallel.mesh.whole.rank():05d}.safetensors"
    for turn, (name, p) in enumerate(parallel.parts):
        state, settings = _of_optimizer(parallel.optimizer, p)
        tensors, rest = _whole_here(parallel, p, state)
        if not parallel.parts.writes(name, turn):
            continue
        first, here = parallel.parts.firsts[name], parallel.shape(p)
        shape = parallel.parts.shape(name, here)
        box = parallel.parts.box(name, here)
        for part, x in tensors.items():
            cut = x.shape == here
            key = f"{part}/{first}"
            found.tensors[key] = x.detach().contiguous()
            found.blocks.setdefault(first, {})[part] = asdict(
                Block(
                    file=file,
                    key=key,
                    shape=shape if cut else tuple(x.shape),
                    start=tuple(s.start for s in box)
                    if cut
                    else (0,) * x.ndim,
                    size=tuple(x.shape),
                )
            )
        found.rest[first] = {"state": rest, "settings": settings}
    return found


def _of_optimizer(
    optimizer: Any, p: nn.Parameter
) -> tuple[dict[str, Any], Any]:
    """Return the state of a parameter, and the settings of its group."""
    owner = owner_of(optimizer, p)
    if owner is None:
        return {}, {}
    group = _group_of(owner, p)
    settings = {k: v for k, v in group.items() if k != "params"}
    return dict(owner.state.get(p, {})), split(settings)[0]


def _group_of(owner: Any, p: nn.Parameter) -> dict[str, Any]:
    groups: list[dict[str, Any]] = owner.param_groups
    return next(
        group for group in groups if any(p is each for each in group["params"])
    )


def _whole_here(
    parallel: MeshParallel, p: nn.Parameter, state: Mapping[str, Any]
) -> tuple[dict[str, Tensor], Any]:
    """Return tensors without ZeRO's cuts, and the rest of the state."""
    tensors = {k: x for k, x in state.items() if isinstance(x, Tensor)}
    rest, inner = split({k: x for k, x in state.items() if k not in tensors})
    assert not inner  # an optimizer keeps its tensors on top
    tensors = {WEIGHT: p.detach(), **tensors}
    unit = parallel.pieces.get(p)
    if unit is None:
        return tensors, rest
    # A rank whose piece is empty has no state.
    shaped = sorted(k for k, x in tensors.items() if x.shape == p.shape)
    own = {"shaped": shaped if p.numel() else [], "rest": rest}
    told = gather_bytes(json.dumps(own).encode(), unit.group)
    most = max((json.loads(each) for each in told), key=_n_parts)
    joined = {k: unit.joined(p, tensors.get(k)) for k in most["shaped"]}
    others = {k: x for k, x in tensors.items() if k not in shaped}
    whole = {k: x for k, x in joined.items() if x is not None}
    return {**whole, **others}, most["rest"]


def _n_parts(told: Mapping[str, Any]) -> int:
    return len(told["shaped"])


def _stage(stack: ExitStack, folder: Path, path: Path, run: Any) -> bytes:
    """Make a folder to write into; nobody else writes beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    stack.enter_context(only_writer(folder))
    tidy(folder)
    refuse_other_runs(folder, run)
    made = tempfile.mkdtemp(PARTIAL, f".{path.name}.", folder)
    os.chmod(made, 0o755)  # other ranks may be of another user
    stack.callback(shutil.rmtree, made, ignore_errors=True)
    return made.encode()


def _write(stage: Path, rank: int, parts: _ToWrite) -> bytes:
    name = f"rank-{rank:05d}.safetensors"
    file = PartialFile(stage / name)
    try:
        write_tensors(parts.tensors, file.write)
        told = {"bytes": file.size, "sha256": file.finish()}
    except BaseException:
        file.discard()
        raise
    return json.dumps(
        {"files": {name: told}, "blocks": parts.blocks, "rest": parts.rest}
    ).encode()


def _finish(
    stage: Path,
    path: Path,
    every: list[dict[str, Any]],
    manifest: Callable[[Mapping[str, Any]], bytes],
) -> bytes:
    """Write what all ranks have said, and give the folder its name."""
    blocks: dict[str, dict[str, list[Any]]] = {}
    rest: dict[str, Any] = {}
    files: dict[str, Any] = {}
    for told in every:
        files |= told["files"]
        rest |= told["rest"]
        for name, parts in told["blocks"].items():
            for part, block in parts.items():
                blocks.setdefault(name, {}).setdefault(part, []).append(block)
    index = json.dumps({"blocks": blocks, "rest": rest}).encode()
    files[INDEX] = {
        "bytes": len(index),
        "sha256": hashlib.sha256(index).hexdigest(),
    }
    with atomic_folder(path) as whole:
        for name in files.keys() - {INDEX}:
            (stage / name).rename(whole / name)
        (whole / INDEX).write_bytes(index)
        (whole / MANIFEST).write_bytes(manifest(files))
    return b""


def _thin_out(folder: Path, step: int, keep: int) -> bytes:
    thin_out(folder, step, keep)
    return b""


def _newest(folder: Path, about: Mapping[str, Any] | None) -> bytes:
    """Return where the newest whole checkpoint is, as JSON."""
    faults = []
    for step, path in reversed(checkpoints(folder)):
        try:
            manifest = verified(path, step)
        except Damaged as fault:
            faults.append(f"{path.name}: {fault}")
            warnings.warn(
                f"{path} is damaged and was skipped: {fault}", stacklevel=2
            )
            continue
        if INDEX not in manifest["files"]:
            raise ValueError(
                f"{path} was saved by one process; load it with "
                f"load_checkpoint, or name a folder that ranks have saved"
            )
        if about is not None:
            off = differences(manifest["about"], identity(about))
            if off:
                raise ValueError(
                    f"{path} is of another run: {off}; name another folder, "
                    f"or use the settings that it was saved with"
                )
        return json.dumps({"path": str(path), "step": step}).encode()
    raise ValueError(
        f"{folder} has no whole checkpoint"
        f"{': ' if faults else ''}{'; '.join(faults)}; give the folder that "
        f"save_on_mesh was given"
    )


@torch.no_grad()
def _load(
    parallel: MeshParallel, index: Index, name: str, p: nn.Parameter
) -> None:
    first, here = parallel.parts.firsts[name], parallel.shape(p)
    box = parallel.parts.box(name, here)
    whole = parallel.parts.shape(name, here)
    unit = parallel.pieces.get(p)
    found: dict[str, Any] = join(index.rest[first]["state"], {})
    for part in index.blocks[first]:
        shape = index.shape(first, part)
        cut = shape == whole
        wanted = box if cut else whole_box(shape)
        x = index.read(first, part, wanted)
        if cut and unit is not None:
            x = unit.piece_of(p, x)
        if part == WEIGHT:
            p.copy_(x.view_as(p))
        else:
            found[part] = x.clone().to(p.device if cut else "cpu")
    owner = owner_of(parallel.optimizer, p)
    if owner is None:
        return
    owner.state.pop(p, None)
    if found:
        owner.state[p] = found
    settings = join(index.rest[first]["settings"], {})
    _group_of(owner, p).update(settings)
