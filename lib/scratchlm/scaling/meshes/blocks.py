"""Blocks of tensors in files: written on one mesh, read on another."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from safetensors import safe_open
from torch import Tensor

from scratchlm.training.pretraining.tensor_file import CODES

INDEX = "index.json"
WEIGHT = "weight"  # the others are the optimizer's names
Box = tuple[slice, ...]
_TYPES = {code: dtype for dtype, code in CODES.items()}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of a tensor that lies in a file.

    Args:
        file: its name.
        key: the part's name in it.
        shape: of the whole tensor.
        start: for each dimension, where the part begins.
        size: for each dimension, how long it is.
    """

    file: str
    key: str
    shape: tuple[int, ...]
    start: tuple[int, ...]
    size: tuple[int, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Block":
        """Read what ``asdict`` has written, of which JSON made lists.

        Args:
            told: the fields by name.
        """
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told.items()
        }
        return cls(**fields)


def read_box(
    folder: Path, name: str, blocks: Sequence[Block], box: Box
) -> Shaped[Tensor, "..."]:
    """Read a part of a tensor from the blocks that overlap it.

    Of each file only the bytes of the overlap are read.

    Args:
        folder: holds the files.
        name: of the tensor, for what is said of it.
        blocks: of the tensor; together they cover it, each place once.
        box: the part that is wanted.

    Raises:
        ValueError: the blocks do not cover the part.
    """
    want = [each.stop - each.start for each in box]
    found: Tensor | None = None
    filled = 0
    if not prod(want):  # of a dimension with fewer rows than ranks
        with safe_open(folder / blocks[0].file, "pt") as file:
            code = file.get_slice(blocks[0].key).get_dtype()
        return torch.zeros(want, dtype=_TYPES[code])
    for block in blocks:
        common = [
            (max(at, each.start), min(at + n, each.stop))
            for at, n, each in zip(block.start, block.size, box, strict=True)
        ]
        if any(begin >= end for begin, end in common):
            continue
        inner = tuple(
            slice(begin - at, end - at)
            for (begin, end), at in zip(common, block.start, strict=True)
        )
        with safe_open(folder / block.file, "pt") as file:
            part = _sliced(file, block.key, inner)
        if found is None:
            found = torch.zeros(want, dtype=part.dtype)
        found[
            tuple(
                slice(begin - each.start, end - each.start)
                for (begin, end), each in zip(common, box, strict=True)
            )
        ] = part
        filled += part.numel()
    if found is None or filled != found.numel():
        raise ValueError(
            f"of {name} the checkpoint has {filled} of the {prod(want)} "
            f"numbers of this part; it is incomplete, save it again"
        )
    return found


def _sliced(file: Any, key: str, inner: Box) -> Tensor:
    if not inner:  # a number
        number: Tensor = file.get_tensor(key)
        return number
    part: Tensor = file.get_slice(key)[inner]
    return part


def whole_box(shape: Sequence[int]) -> Box:
    """Return the box of a whole tensor.

    Args:
        shape: of it.
    """
    return tuple(slice(0, n) for n in shape)


def require_shapes(
    wanted: Mapping[str, Sequence[int]], saved: Mapping[str, Sequence[int]]
) -> None:
    """Refuse a checkpoint of another model.

    Args:
        wanted: by name, the shape of each parameter of the model.
        saved: the same of the checkpoint.

    Raises:
        ValueError: a parameter is missing, or has another shape.
    """
    off = [
        f"{name} is {[*shape]} in the model and "
        f"{[*saved[name]] if name in saved else 'missing'} in the checkpoint"
        for name, shape in wanted.items()
        if name not in saved or [*saved[name]] != [*shape]
    ]
    if off:
        raise ValueError(
            f"the checkpoint is of another model: {'; '.join(off[:5])}; "
            f"build the model from the settings that it was saved with"
        )


class Index:
    """Which block of which tensor lies where in a checkpoint.

    Args:
        path: the checkpoint's folder.

    Attributes:
        blocks: by parameter and part of its state.
        rest: by parameter, what of its state is no tensor.
    """

    def __init__(self, path: Path):
        told = json.loads((path / INDEX).read_bytes())
        self.path, self.rest = path, told["rest"]
        self.blocks = {
            name: {
                part: [Block.of(block) for block in blocks]
                for part, blocks in parts.items()
            }
            for name, parts in told["blocks"].items()
        }

    def require(self, wanted: Mapping[str, Sequence[int]]) -> None:
        """Refuse a checkpoint of another model.

        Args:
            wanted: by name, the shape of each parameter.

        Raises:
            ValueError: a parameter is missing, or has another shape.
        """
        saved = {name: self.shape(name, WEIGHT) for name in self.blocks}
        require_shapes(wanted, saved)

    def shape(self, name: str, part: str) -> tuple[int, ...]:
        """Return the shape of a whole tensor.

        Args:
            name: of a parameter.
            part: of its state.
        """
        return self.blocks[name][part][0].shape

    def read(self, name: str, part: str, box: Box) -> Tensor:
        """Read a part of a tensor.

        Args:
            name: of a parameter.
            part: of its state.
            box: the part that is wanted.

        Raises:
            ValueError: the blocks do not cover it.
        """
        return read_box(self.path, name, self.blocks[name][part], box)
