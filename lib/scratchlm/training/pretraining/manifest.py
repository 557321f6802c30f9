"""What a checkpoint is: its step, its run, and what its files must be."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scratchlm.foundation.durable import sha256_of
from scratchlm.training.pretraining.tree import split

MANIFEST = "manifest.json"
_FORMAT = 1
# What text that is not as we wrote it makes of the code that reads it.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Damaged(ValueError):
    """A checkpoint that is not what was saved."""


def identity(about: Mapping[str, Any]) -> Any:
    """Return what identifies a run, as JSON has it.

    Args:
        about: numbers and strings, and dicts, lists and tuples of them.

    Raises:
        ValueError: it holds something else.
    """
    rest, tensors = split(dict(about), "about")
    if tensors:
        raise ValueError(
            f"about holds tensors or arrays ({', '.join(tensors)}); give "
            "numbers and strings that identify the run"
        )
    return rest


def as_json(value: Any) -> bytes:
    """Return a value as JSON in ASCII, which no text is too strange for."""
    return f"{json.dumps(value, indent=1, allow_nan=False)}\n".encode("ascii")


def manifest_of(step: int, about: Any, files: Mapping[str, Any]) -> bytes:
    """Return the bytes of a manifest, which hold their own sha256.

    Args:
        step: the number of steps that had been made.
        about: what :func:`identity` gave.
        files: of each name, its size in bytes and its sha256.
    """
    manifest = {"format": _FORMAT, "step": step, "about": about}
    manifest["files"] = dict(files)
    manifest["sha256"] = hashlib.sha256(as_json(manifest)).hexdigest()
    return as_json(manifest)


def read_manifest(path: Path, step: int) -> dict[str, Any]:
    """Return the manifest of a checkpoint.

    Args:
        path: the checkpoint's folder.
        step: what the folder's name says.

    Raises:
        Damaged: it is not the one that was written.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        promised = manifest.pop("sha256")
        whole = promised == hashlib.sha256(as_json(manifest)).hexdigest()
        form, saved = manifest["format"], manifest["step"]
    except FileNotFoundError:
        raise Damaged(f"{MANIFEST} is missing") from None
    except (*UNREADABLE, OSError) as error:
        raise Damaged(f"{MANIFEST} cannot be read: {error!r}") from error
    if form != _FORMAT:
        raise Damaged(
            f"its format is {form}, and this program reads {_FORMAT}"
        )
    if not whole:
        raise Damaged(f"{MANIFEST} has been altered")
    if saved != step:
        raise Damaged(f"{MANIFEST} says that this is step {saved}")
    return dict(manifest)


def verified(path: Path, step: int) -> dict[str, Any]:
    """Return the manifest of a checkpoint whose files are as written.

    Args:
        path: the checkpoint's folder.
        step: what the folder's name says.

    Raises:
        Damaged: the manifest, or a file that it names, is not.
    """
    manifest = read_manifest(path, step)
    for name, told in manifest["files"].items():
        file = path / name
        try:
            size = file.stat().st_size
            if size != told["bytes"]:
                raise Damaged(f"{name} has {size} of {told['bytes']} bytes")
            if sha256_of(file) != told["sha256"]:
                raise Damaged(f"{name} has been altered")
        except FileNotFoundError:
            raise Damaged(f"{name} is missing") from None
        except OSError as error:
            raise Damaged(f"{name} cannot be read: {error}") from error
    return manifest


def differences(saved: Any, asked: Any, name: str = "") -> str:
    """Return in words which keys have other values.

    Args:
        saved: what :func:`identity` gave for the run that saved.
        asked: and for the one that asks.
        name: of the key that holds the two.
    """
    if not (isinstance(saved, dict) and isinstance(asked, dict)):
        one, two = (json.dumps(each) for each in (saved, asked))
        return f"{name} is {one} there and {two} here"
    missing = object()
    told = []
    for key in {**saved, **asked}:
        one, two = saved.get(key, missing), asked.get(key, missing)
        inner = f"{name}.{key}" if name else key
        if one is missing or two is missing:
            where = "here" if one is missing else "there"
            value = json.dumps(two if one is missing else one)
            told.append(f"{inner} is {value} {where} and absent otherwise")
        elif one != two:
            told.append(differences(one, two, inner))
    return ", ".join(told)
