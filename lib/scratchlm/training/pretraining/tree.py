"""A state of dicts, lists, tensors and numbers: its tensors, and its rest.

What a run must remember is a tree. Its tensors go to safetensors, by name;
what is left is JSON, which says where each tensor belongs. JSON has no
tuples, no keys that are numbers and no infinity, so what it lacks stands in
an object with one key that begins with a dollar:
``{"betas": {"$tuple": [0.9, 0.95]}}``.
"""

import math
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scratchlm.training.pretraining.tensor_file import CODES

MARK = "$"
_DEEPEST = 100  # guessed: no optimizer nests by ten
_LARGEST = 2**53  # up to here every reader of JSON gets the same integer
_ARRAYS = "biufcmM"  # of NumPy's kinds: truth, numbers and times
# Types of PyTorch that safetensors does not have, or has not had for long:
# their bytes are stored instead.
AS_BYTES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        str(dtype).removeprefix("torch."): dtype
        for dtype in (
            torch.complex32,
            torch.complex64,
            torch.complex128,
            torch.float8_e4m3fnuz,
            torch.float8_e5m2fnuz,
            torch.float8_e8m0fnu,
        )
    }
)


def split(tree: Any, name: str = "state") -> tuple[Any, dict[str, Tensor]]:
    """Part a state into JSON and named tensors.

    A tensor's name is the path of keys that leads to it, with dots.

    Args:
        tree: dicts with keys that are strings or integers, lists, tuples,
            tensors, arrays and numbers of NumPy, numbers, strings and None,
            in each other.
        name: of the tree, for what is said of it.

    Returns:
        What ``json.dumps`` takes, and the tensors, which are not copied.

    Raises:
        ValueError: something in the tree is of another type, or the tree
            contains itself; the message says where.
    """
    parts = _Split(name)
    return parts.of(tree, ()), parts.tensors


def join(rest: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put a state together again.

    Args:
        rest: what :func:`split` gave first.
        tensors: what it gave second. They become part of the state.

    Raises:
        ValueError: the two do not belong together, or ``rest`` is no result
            of ``split``.
    """
    if isinstance(rest, list):
        return [join(each, tensors) for each in rest]
    if not isinstance(rest, dict):
        return rest
    marks = [key for key in rest if key.startswith(MARK)]
    if not marks:
        return {key: join(each, tensors) for key, each in rest.items()}
    if marks[0] not in _JOINS or len(rest) > 1:
        raise ValueError(f"{', '.join(rest)} mean nothing in a saved state")
    try:
        return _JOINS[marks[0]](rest[marks[0]], tensors)
    except (KeyError, TypeError, IndexError, struct.error) as error:
        raise ValueError(f"no {marks[0]} can be read: {error!r}") from error


class _Split:
    """The tensors that have been found, and the way to the next one."""

    def __init__(self, name: str):
        self.name = name
        self.tensors: dict[str, Tensor] = {}

    def of(self, node: Any, path: tuple[str | int, ...]) -> Any:
        if len(path) > _DEEPEST:
            raise ValueError(
                f"{self.name} is nested deeper than {_DEEPEST}, at "
                f"{self.told(path[:5])}...; does it contain itself?"
            )
        if node is None or type(node) in (bool, str):
            return node
        if type(node) is int:
            small = abs(node) <= _LARGEST
            return node if small else {"$int": hex(node)}
        if type(node) is float:
            exact = struct.pack(">d", node).hex()
            return node if math.isfinite(node) else {"$float": exact}
        if type(node) in (dict, OrderedDict):
            return self.of_dict(node, path)
        if type(node) in (list, tuple):
            each = [self.of(part, (*path, i)) for i, part in enumerate(node)]
            return each if type(node) is list else {"$tuple": each}
        return self.of_numbers(node, path)

    def of_dict(self, node: Mapping[Any, Any], path: Any) -> Any:
        for key in node:
            if type(key) not in (str, int):
                raise ValueError(
                    f"{self.told(path)} has the key {key!r}; only strings "
                    "and integers are saved as keys"
                )
        pairs = [(k, self.of(each, (*path, k))) for k, each in node.items()]
        if type(node) is OrderedDict:
            return {
                "$ordered": [[self.of(k, path), each] for k, each in pairs]
            }
        if any(type(k) is int or k.startswith(MARK) for k, _ in pairs):
            return {"$dict": [[self.of(k, path), each] for k, each in pairs]}
        return dict(pairs)

    def of_numbers(self, node: Any, path: tuple[str | int, ...]) -> Any:
        if type(node) in (Tensor, nn.Parameter):
            return {"$tensor": self.of_tensor(node.detach(), path)}
        if type(node) is np.ndarray or isinstance(node, np.generic):
            kind = "$array" if type(node) is np.ndarray else "$scalar"
            if node.dtype.kind in _ARRAYS:
                return {kind: self.of_array(np.asarray(node), path)}
            raise ValueError(
                f"{self.told(path)} is an array of {node.dtype}, which is not "
                "saved; make it one of numbers or of strings"
            )
        raise ValueError(
            f"{self.told(path)} is of the type {type(node).__qualname__}, "
            "which is not saved; give dicts, lists, tuples, tensors, arrays, "
            "numbers, strings or None"
        )

    def of_tensor(self, tensor: Tensor, path: tuple[str | int, ...]) -> Any:
        plain = tensor.layout is torch.strided and not tensor.is_meta
        kind = str(tensor.dtype).removeprefix("torch.")
        if not plain or (kind not in AS_BYTES and tensor.dtype not in CODES):
            raise ValueError(
                f"{self.told(path)} is a tensor of {kind} on {tensor.device} "
                f"with the layout {tensor.layout}, which is not saved; give a "
                "dense one with numbers"
            )
        name, tensor = self.named(path), tensor.resolve_conj().resolve_neg()
        if kind not in AS_BYTES:
            self.tensors[name] = tensor
            return name
        each = tensor.contiguous().unsqueeze(-1)
        self.tensors[name] = each.view(torch.uint8)
        return [name, kind]

    def of_array(self, array: Any, path: tuple[str | int, ...]) -> Any:
        flat = np.frombuffer(bytearray(array.tobytes()), np.uint8)
        name = self.named(path)
        self.tensors[name] = torch.from_numpy(flat)
        return [name, array.dtype.str, list(array.shape)]

    def named(self, path: tuple[str | int, ...]) -> str:
        """A name that no other tensor has, in letters that UTF-8 has."""
        name = ".".join(map(str, path)) or "value"
        name = name.encode("utf8", "backslashreplace").decode("utf8")
        while name in self.tensors or name == "__metadata__":
            name += "'"
        return name

    def told(self, path: tuple[str | int, ...]) -> str:
        return self.name + "".join(f"[{key!r}]" for key in path)


def _tensor(saved: Any, tensors: Mapping[str, Tensor]) -> Tensor:
    if isinstance(saved, str):
        return tensors[saved]
    name, kind = saved
    return tensors[name].view(AS_BYTES[kind]).squeeze(-1)


def _array(saved: Any, tensors: Mapping[str, Tensor]) -> Any:
    name, kind, shape = saved
    dtype = np.dtype(str(kind))
    if dtype.kind not in _ARRAYS:
        raise ValueError(f"an array of {dtype} was not saved by this program")
    return np.ndarray(shape, dtype, tensors[name].numpy().tobytes()).copy()


def _pairs(saved: Any, tensors: Mapping[str, Tensor]) -> Any:
    return [(join(key, tensors), join(each, tensors)) for key, each in saved]


_JOINS: Mapping[str, Callable[[Any, Mapping[str, Tensor]], Any]] = (
    MappingProxyType(
        {
            "$int": lambda saved, _: int(saved, 16),
            "$float": lambda s, _: struct.unpack(">d", bytes.fromhex(s))[0],
            "$tuple": lambda saved, tensors: tuple(join(saved, tensors)),
            "$dict": lambda saved, tensors: dict(_pairs(saved, tensors)),
            "$ordered": lambda s, tensors: OrderedDict(_pairs(s, tensors)),
            "$tensor": _tensor,
            "$array": _array,
            "$scalar": lambda saved, tensors: _array(saved, tensors)[()],
        }
    )
)
