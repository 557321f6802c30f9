"""Checkpoints: all that a run must remember, in a folder that is whole.

::

    checkpoints/
      step-00000400/
      step-00000500/
        model.safetensors      the weights, by their names in the model
        optimizer.safetensors  the tensors of each other part of the state
        state.json             the rest of the state
        manifest.json          step, run, and the sha256 of the three above

Nothing in such a folder is a program, and loading it runs none.
"""

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scratchlm.foundation.durable import (
    PartialFile,
    atomic_folder,
    only_writer,
    remove_folder,
    set_aside,
    sync_folder,
    tidy,
)
from scratchlm.training.pretraining.manifest import (
    MANIFEST,
    UNREADABLE,
    Damaged,
    as_json,
    differences,
    identity,
    manifest_of,
    read_manifest,
    verified,
)
from scratchlm.training.pretraining.tensor_file import (
    read_tensors,
    write_tensors,
)
from scratchlm.training.pretraining.tree import join, split

STATE = "state.json"
_FOLDER = re.compile(r"step-(\d{8,})")
_PART = re.compile(r"[a-z][a-z0-9_]*")  # also where case does not count
_TRIES = 20  # to load while a run saves; guessed: two are enough
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Checkpoint:
    """What was saved, and where.

    Args:
        step: the number of steps that had been made.
        state: as it was given, with all tensors in the main memory.
        path: of the folder.
    """

    step: int
    state: dict[str, Any]
    path: Path


def save_checkpoint(
    folder: Path,
    step: int,
    state: Mapping[str, Any],
    *,
    keep: int = 2,
    about: Mapping[str, Any] = _NOTHING,
) -> Path:
    """Save a state; after a kill at any moment it is whole or absent.

    Args:
        folder: for the checkpoints of one run; made if it is missing.
        step: the number of steps that have been made. What was saved at the
            same step is replaced.
        state: parts by name, each a tree that :func:`~.tree.split` takes.
        keep: how many stay, of this step and earlier ones, at least 1.
        about: what identifies the run, such as its architecture; numbers,
            strings and what :func:`~.tree.split` takes without tensors.

    Returns:
        The folder of this checkpoint.

    Raises:
        ValueError: an argument cannot be saved, another process is saving
            into this folder, or it holds checkpoints of another run. The
            checkpoints that were there are as they were.
        OSError: the disk is full or broken; as above.
    """
    if keep < 1 or step < 0:
        raise ValueError(
            f"keep is {keep} and step {step}; give 1 and 0, or more"
        )
    trees = {part: _split_part(part, tree) for part, tree in state.items()}
    run = identity(about)
    path = folder / f"step-{step:08d}"
    with _told(path, "was not saved"):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        with only_writer(folder):
            tidy(folder)
            refuse_other_runs(folder, run)
            with atomic_folder(path) as stage:
                _write(stage, path, step, trees, run)
            with _told(path, "was saved, and older ones remain"):
                thin_out(folder, step, keep)
    return path


def thin_out(folder: Path, step: int, keep: int) -> None:
    """Remove older checkpoints of a run.

    Args:
        folder: of its checkpoints.
        step: that was just saved. Later ones stay, and are warned of.
        keep: how many stay, of this step and earlier ones.
    """
    there = checkpoints(folder)
    for _, old in [each for each in there if each[0] <= step][:-keep]:
        remove_folder(old)
    if there[-1][0] > step:
        warnings.warn(
            f"{folder} holds a checkpoint of step {there[-1][0]}, later than "
            f"the {step} just saved: a run that resumes will take it; remove "
            "it if it belongs to a run that you gave up",
            stacklevel=3,
        )


def load_checkpoint(
    folder: Path, *, about: Mapping[str, Any] | None = None
) -> Checkpoint:
    """Load the newest checkpoint that is whole.

    Each file is compared with its sha256 first. A checkpoint that is damaged
    is reported as a warning, and the one before it is taken.

    Args:
        folder: what :func:`save_checkpoint` was given.
        about: what identifies the run that asks.

    Raises:
        ValueError: no checkpoint is there, none is whole, or the newest
            whole one is of a run about which other things were said.
    """
    for _ in range(_TRIES):
        seen = _inodes(folder)
        found, faults = _newest(folder, about)
        # A run beside this one may have removed or replaced what was read.
        if (found and not faults) or _inodes(folder) == seen:
            break
    told = "; ".join(faults)
    if found and faults:
        warnings.warn(
            f"{folder} has damaged checkpoints ({told}); step {found.step} "
            "is taken instead",
            stacklevel=2,
        )
    if found:
        return found
    if faults:
        raise ValueError(
            f"no checkpoint in {folder} is whole ({told}); take a copy, or "
            "begin the run again in another folder"
        )
    raise ValueError(
        f"there is no checkpoint in {folder}; give the folder that a run "
        "saved into"
    )


def _newest(
    folder: Path, about: Mapping[str, Any] | None
) -> tuple[Checkpoint | None, list[str]]:
    """The newest that is whole, and what is wrong with those after it."""
    faults: list[str] = []
    for step, path in reversed(checkpoints(folder)):
        try:
            manifest = verified(path, step)
            _compare(manifest["about"], about, path)
            return Checkpoint(step, _read(path, manifest), path), faults
        except Damaged as error:
            faults.append(f"{path.name}: {error}")
    return None, faults


def checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """List the checkpoints of a run by step, whole or not.

    Args:
        folder: what :func:`save_checkpoint` was given; may be missing.
    """
    found = {}
    for path in folder.glob("*step-*") if folder.is_dir() else ():
        # A kill can leave the only one of a step where it was set aside.
        name = path.name.removeprefix(".").removesuffix(".replaced")
        match = _FOLDER.fullmatch(name)
        plain = folder / name
        if match and path in (plain, set_aside(plain)) and path.is_dir():
            found[int(match[1])] = plain if plain.is_dir() else path
    return sorted(found.items())


def _inodes(folder: Path) -> dict[str, int]:
    """What stands in a folder, where one name can be given again."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.inode() for entry in entries}


def _split_part(part: str, tree: Any) -> tuple[Any, dict[str, Any]]:
    if not _PART.fullmatch(part):
        raise ValueError(
            f"a part of the state is named {part!r}, which would name a "
            "file; use small letters, digits and _"
        )
    return split(tree, part)


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Add to what the disk says which checkpoint it is about."""
    try:
        yield
    except OSError as error:
        if not getattr(error, "__notes__", None):
            error.add_note(what)
            reason = error.strerror or " ".join(map(str, error.args))
            error.strerror = f"{reason}; {path.name} {what}"
            error.filename = error.filename or str(path)
        raise


def _write(
    stage: Path, path: Path, step: int, trees: Mapping[str, Any], about: Any
) -> None:
    files: dict[str, Any] = {}
    for part, (_, tensors) in trees.items():
        if tensors or part == "model":
            with _file(stage, path, f"{part}.safetensors", files) as file:
                write_tensors(tensors, file.write)
    rest = {part: tree for part, (tree, _) in trees.items()}
    with _file(stage, path, STATE, files) as file:
        file.write(as_json(rest))
    with _file(stage, path, MANIFEST, {}) as file:
        file.write(manifest_of(step, about, files))


@contextmanager
def _file(
    stage: Path, path: Path, name: str, files: dict[str, Any]
) -> Iterator[PartialFile]:
    try:
        file = PartialFile(stage / name)
        try:
            yield file
            files[name] = {"bytes": file.size, "sha256": file.finish()}
        except BaseException:
            file.discard()
            raise
    except OSError as error:
        error.filename = str(path / name)  # not the hidden one it had so far
        raise


def refuse_other_runs(folder: Path, about: Any) -> None:
    """Refuse to save among the checkpoints of another run.

    Args:
        folder: of checkpoints.
        about: what :func:`~.manifest.identity` gave of the run that saves.

    Raises:
        ValueError: it holds a checkpoint of another run.
    """
    for step, path in checkpoints(folder):
        try:
            saved = read_manifest(path, step)["about"]
        except Damaged:
            continue
        if saved != about:
            told = differences(saved, about)
            raise ValueError(
                f"{folder} holds checkpoints of another run: {told}; save "
                "into another folder"
            )


def _read(path: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    state = {}
    try:
        for part, rest in json.loads((path / STATE).read_bytes()).items():
            name = f"{part}.safetensors"
            there = name in manifest["files"]
            tensors = read_tensors(path / name) if there else {}
            state[part] = join(rest, tensors)
    except (*UNREADABLE, OSError) as error:
        raise Damaged(f"it cannot be read: {error}") from error
    return state


def _compare(saved: Any, about: Mapping[str, Any] | None, path: Path) -> None:
    if about is None:
        return
    asked = identity(about)
    if saved != asked:
        raise ValueError(
            f"{path} is of another run: {differences(saved, asked)}; load "
            "it with the settings that it was saved with"
        )
