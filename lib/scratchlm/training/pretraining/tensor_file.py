"""Tensors in a file that holds a table and their bytes: safetensors.

The file begins with the length of a table in 8 bytes, then come the table,
which is JSON, and the bytes of one tensor after the other. The library of
this name writes it too; here it is written piece by piece, so that a run
needs memory for no second model, and the bytes are hashed on their way.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

# The names that the format gives to types.
CODES: Mapping[torch.dtype, str] = MappingProxyType(
    {
        torch.float64: "F64",
        torch.float32: "F32",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
        torch.float8_e4m3fn: "F8_E4M3",
        torch.float8_e5m2: "F8_E5M2",
        torch.int64: "I64",
        torch.int32: "I32",
        torch.int16: "I16",
        torch.int8: "I8",
        torch.uint64: "U64",
        torch.uint32: "U32",
        torch.uint16: "U16",
        torch.uint8: "U8",
        torch.bool: "BOOL",
    }
)
_PIECE = 1 << 24  # bytes written at a time; guessed: a bar could follow it


def write_tensors(
    tensors: Mapping[str, Tensor], write: Callable[[Any], object]
) -> None:
    """Write tensors as a safetensors file.

    Each comes to the processor when it is its turn, if it is elsewhere.

    Args:
        tensors: dense ones by name, of types in ``CODES``.
        write: takes the next bytes, and is done with them when it returns.

    Source: the format as huggingface/safetensors documents it.
    """
    # Wide numbers first, so that each begins at a multiple of its size.
    names = sorted(tensors, key=lambda name: -tensors[name].itemsize)
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        tensor, begin = tensors[name], end
        end += tensor.numel() * tensor.itemsize
        table[name] = {
            "dtype": CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False)
    header = text.encode("utf8")
    header += b" " * (-len(header) % 8)
    write(len(header).to_bytes(8, "little"))
    write(header)
    for name in names:
        for piece in _bytes_of(tensors[name]):
            write(piece)


def _bytes_of(tensor: Tensor) -> Iterator[memoryview]:
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    view = flat.numpy().data
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file, each into memory of its own.

    Args:
        path: of the file, which may be removed or altered afterwards.

    Raises:
        ValueError: the file is none, or is damaged.
        OSError: it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            # Without the copy a tensor is a view of the file.
            return {name: file.get_tensor(name).clone() for name in names}
    except (SafetensorError, RuntimeError) as error:  # the latter is torch's
        raise ValueError(f"{path} cannot be read: {error}") from error
