"""Plain results as bytes and back, without pickle.

A result is plain where it is None, a truth value, a number, text, bytes, an
array of NumPy, a tensor of PyTorch, or a list, tuple or dict of such. It is
kept as NumPy keeps arrays: its structure as JSON, its arrays beside it.
"""

import json
import sys
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import numpy as np

_STRUCTURE = "structure"


def dump(result: object) -> bytes:
    """Return the bytes of a plain result.

    Args:
        result: see the module.

    Raises:
        ValueError: a part of it is not plain; the message shows it.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_flat(result, arrays)).encode()
    stream = BytesIO()
    held = {_STRUCTURE: np.frombuffer(structure, np.uint8), **arrays}
    np.savez(stream, **held)  # type: ignore[arg-type]
    return stream.getvalue()


def load(data: bytes) -> Any:
    """Return the result that :func:`dump` wrote.

    Raises:
        ValueError: the bytes are not of that kind, or damaged.
    """
    try:
        with np.load(BytesIO(data)) as arrays:
            structure = json.loads(arrays[_STRUCTURE].tobytes())
            return _deep(structure, arrays)
    except (BadZipFile, EOFError, KeyError, OSError, TypeError) as error:
        raise ValueError(f"no plain result: {error}") from error


def _flat(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value  # NumPy's float64 is a float, and reads the same
    if isinstance(value, list):
        return ["list", *(_flat(part, arrays) for part in value)]
    if isinstance(value, tuple):
        if type(value) is not tuple:
            raise ValueError(_not_plain(value))
        return ["tuple", *(_flat(part, arrays) for part in value)]
    if isinstance(value, dict):
        pairs = [part for item in value.items() for part in item]
        return ["dict", *(_flat(part, arrays) for part in pairs)]
    kind, array = _array(value)
    name = f"array{len(arrays)}"
    arrays[name] = array
    return [kind, name]


def _array(value: Any) -> tuple[str, np.ndarray]:
    torch = sys.modules.get("torch")
    if isinstance(value, bytes):
        return "bytes", np.frombuffer(value, np.uint8)
    if isinstance(value, np.generic):
        return "number", np.asarray(value)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return "array", value
    if torch is not None and isinstance(value, torch.Tensor):
        try:
            return "tensor", value.detach().cpu().numpy()
        except TypeError as error:  # bfloat16 has no NumPy type
            raise ValueError(
                f"{value.dtype} has no type in NumPy; return float()"
            ) from error
    raise ValueError(_not_plain(value))


def _not_plain(value: object) -> str:
    return (
        f"a {type(value).__name__} cannot be kept: {str(value)[:60]}; return "
        "numbers, text, arrays and tensors, in lists, tuples and dicts"
    )


def _deep(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if not isinstance(value, list):
        return value
    kind, *parts = value
    if kind in ("list", "tuple", "dict"):
        made = [_deep(part, arrays) for part in parts]
        if kind == "dict":
            return dict(zip(made[::2], made[1::2], strict=True))
        return tuple(made) if kind == "tuple" else made
    array = arrays[parts[0]]
    if kind == "tensor":
        import torch  # noqa: PLC0415  (only where a result has tensors)

        return torch.from_numpy(array.copy())
    if kind == "bytes":
        return array.tobytes()
    return array[()] if kind == "number" else array
