"""Hostile trees, parted and joined."""

import json
import math
import random
import struct
from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch import nn

from scratchlm.training.pretraining.tensor_file import CODES
from scratchlm.training.pretraining.tree import AS_BYTES, join, split

TYPES = [*CODES, *AS_BYTES.values()]
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def tensors(draw):
    """Any bits of any type, as a view with strides of its own."""
    dtype, shape = draw(st.sampled_from(TYPES)), draw(shapes)
    size = math.prod(shape) * dtype.itemsize
    raw = bytearray(draw(st.binary(min_size=size, max_size=size)))
    if dtype is torch.bool:
        raw = bytearray(each & 1 for each in raw)
    if not size:
        return torch.empty(shape, dtype=dtype)
    tensor = torch.frombuffer(raw, dtype=dtype).reshape(shape)
    return tensor.mT if tensor.ndim > 1 and draw(st.booleans()) else tensor


any_float = st.binary(min_size=8, max_size=8).map(
    lambda raw: struct.unpack("d", raw)[0]
)
arrays = npst.arrays(
    st.one_of(
        npst.boolean_dtypes(),
        npst.integer_dtypes(endianness="?"),
        npst.unsigned_integer_dtypes(endianness="?"),
        npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
        npst.datetime64_dtypes(),
    ),
    shapes,
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**52, max_value=2**200),
    any_float,
    st.text(st.characters(codec=None)),
    tensors(),
    arrays,
    arrays.filter(lambda each: each.size).map(lambda each: each.flat[0]),
)
# Keys that are marks, that look like paths, and that look like other keys.
keys = st.one_of(
    st.text(st.characters(codec=None), max_size=3),
    st.sampled_from(
        ["$tensor", "$dict", "$", "a", "a.b", "0", "__metadata__"]
    ),
    st.integers(),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
    ),
    max_leaves=12,
)


def through_json(tree):
    rest, tensors = split(tree)
    return join(json.loads(json.dumps(rest, allow_nan=False)), tensors)


@given(trees)
def test_a_tree_comes_back_as_it_was(equal, tree):
    """A tuple that comes back as a list, a key 0 as "0", an integer above
    2^53 as its neighbour, infinity as no JSON at all; two tensors of one
    name, since the key "a.b" and the path from a to b look alike."""
    assert equal(through_json(tree), tree)


def test_integers_have_no_limit():
    """A counter of 128 bits that another reader of JSON rounds, or one of
    more digits than Python is willing to read."""
    for number in (2**53 + 1, -(2**127), 10**5000):
        assert through_json([number]) == [number]
        assert split(number)[0] == {"$int": hex(number)}
    assert split(-(2**53))[0] == -(2**53)


def test_generators_of_numbers_go_on_where_they_were():
    """A run that draws its first batches again."""
    python, new = random.Random(1), np.random.default_rng(1)
    old = np.random.RandomState(1)
    old.standard_normal()  # the second half of a pair waits in its state
    torch_own = torch.Generator().manual_seed(1)
    saved = through_json(
        {
            "python": python.getstate(),
            "new": new.bit_generator.state,
            "old": old.get_state(legacy=False),
            "old tuple": old.get_state(),
            "torch": torch_own.get_state(),
        }
    )
    again = random.Random()
    again.setstate(saved["python"])
    assert again.random() == python.random()
    fresh = np.random.default_rng()
    fresh.bit_generator.state = saved["new"]
    assert fresh.random() == new.random()
    expected = old.standard_normal(3)
    for name in ("old", "old tuple"):
        twin = np.random.RandomState()
        twin.set_state(saved[name])
        assert (twin.standard_normal(3) == expected).all()
    other = torch.Generator()
    other.set_state(saved["torch"])
    assert torch.equal(
        torch.rand(3, generator=other), torch.rand(3, generator=torch_own)
    )


def test_an_optimizer_goes_on_where_it_was(equal):
    """Moments under keys that became strings: load_state_dict finds none of
    them and begins with zeros, without a word."""
    moments = {"step": torch.tensor(3.0), "exp_avg": torch.randn(2, 3)}
    group = {"lr": 0.1, "betas": (0.9, 0.95), "amsgrad": False, "params": [0]}
    state = {"state": {0: moments}, "param_groups": [group]}
    assert equal(through_json(state), state)


def test_a_tied_weight_may_be_there_twice(equal):
    """Weights that safetensors refuses, since two names share them."""
    table = nn.Parameter(torch.randn(4, 2))
    tree = through_json({"embed": table, "head": table, "row": table[1]})
    assert torch.equal(tree["embed"], table)
    assert torch.equal(tree["head"], table)
    assert torch.equal(tree["row"], table[1])
    assert type(tree["head"]) is torch.Tensor


def test_names_of_tensors_are_their_paths():
    """A file of weights whose names no other program knows."""
    ones = torch.ones(1)
    _, tensors = split({"block.0.weight": ones, "head": {"weight": ones}})
    assert list(tensors) == ["block.0.weight", "head.weight"]
    _, tensors = split({"a.b": ones, "a": {"b": ones}, "\ud800": ones})
    assert list(tensors) == ["a.b", "a.b'", r"\ud800"]
    assert list(split(ones)[1]) == ["value"]


def test_a_view_of_conjugates_is_saved_as_its_values():
    """Bits that PyTorch has promised to flip, and has not yet."""
    tensor = torch.tensor([1 + 2j, 3 - 4j]).conj()
    saved = through_json([tensor, tensor.imag])
    assert saved[0].tolist() == [1 - 2j, 3 + 4j]
    assert saved[1].tolist() == [-2, 4]


Pair = namedtuple("Pair", "a b")


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        *({1, 2}, b"bytes", 1j, object(), len, Counter("a"), Pair(1, 2)),
        *(Text("a"), torch.Size([1]), torch.float32, nn.Linear(1, 1)),
        *(np.array([None]), np.array(["a"]), np.zeros(2, "i4,f8")),
        torch.ones(2).to_sparse(),
        torch.empty(2, device="meta"),
        torch.nn.parameter.UninitializedParameter(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_saved_is_named_with_its_place(value):
    """An object that is pickled in silence, or that comes back as another;
    a message that does not say which of a thousand values it was."""
    tree = {"groups": [{"lr": 0.1}, {7: value}]}
    with pytest.raises(ValueError, match=r"optimizer\['groups'\]\[1\]\[7\]"):
        split(tree, "optimizer")


@pytest.mark.parametrize("key", [None, 1.0, True, (1, 2), Text("a")])
def test_a_key_that_json_would_change_is_refused(key):
    """True and None as keys, which JSON makes strings of."""
    with pytest.raises(ValueError, match=r"state\['a'\] has the key"):
        split({"a": {key: 1}})


def test_a_tree_within_itself_is_refused():
    """A RecursionError of a thousand lines."""
    tree = {}
    tree["self"] = [tree]
    with pytest.raises(ValueError, match="does it contain itself"):
        split(tree)


@pytest.mark.parametrize(
    "rest",
    [
        {"$tensor": "gone"},
        {"$tensor": ["a", "float13"]},
        {"$tensor": 3},
        {"$array": ["a", "O", [1]]},
        {"$array": ["a", "<f8", [9]]},
        {"$array": ["a", "no type", [1]]},
        {"$array": ["a"]},
        {"$int": "ten"},
        {"$int": None},
        {"$float": "00"},
        {"$float": "xy"},
        {"$dict": [[[], 1]]},
        {"$dict": [1]},
        {"$call": "os.system"},
        {"$tuple": [], "more": 1},
        {"$tuple": 3},
    ],
)
def test_what_no_split_gave_is_refused(rest):
    """A damaged file that raises something nobody catches, or that becomes
    an object which runs a program."""
    with pytest.raises(ValueError, match=r"\$|saved|literal|hex|unpack"):
        join([rest], {"a": torch.zeros(8, dtype=torch.uint8)})
