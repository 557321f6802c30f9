"""A result comes back as it was, and nothing that runs code is kept."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch

from scratchlm.book import plain


class Pair(NamedTuple):
    """A tuple with a name."""

    left: int
    right: int


def back(value):
    return plain.load(plain.dump(value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0.1 + 0.2,
        -0.0,
        math.inf,
        "naïve\ud800",
        b"\x00\xff",
        [],
        (),
        {},
        [1, [2, (3, "list")], {"a": [None], 4: ("dict",), (1, 2): 5.0}],
    ],
    ids=repr,
)
def test_a_plain_value_comes_back_with_its_types(value):
    """JSON alone turns tuples into lists and keys into text, so that a page
    would show another thing in its second run."""
    assert repr(back(value)) == repr(value)


def test_arrays_and_tensors_come_back_bit_for_bit():
    """float32 through text lost a digit; an axis of length zero its shape."""
    a = np.random.default_rng(0).normal(size=(3, 0, 2)).astype("f4")
    t = torch.randn(4, 5, dtype=torch.float64).T
    got = back({"a": a, "t": t, "n": np.float32(0.1), "b": np.bool_(True)})
    assert got["a"].dtype == a.dtype
    assert got["a"].shape == a.shape
    assert torch.equal(got["t"], t)
    got["t"][0] = 0  # a result may be worked on
    assert (type(got["n"]), got["n"]) == (np.float32, np.float32(0.1))
    assert (type(got["b"]), got["b"]) == (np.bool_, np.bool_(True))


def test_equal_values_have_equal_bytes():
    """They are hashed; the time of writing must not be in them."""
    value = {"a": [1, np.arange(3)]}
    assert plain.dump(value) == plain.dump(value)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        object(),
        Pair(1, 2),
        np.array([{}]),
        torch.ones(2, dtype=torch.bfloat16),
        [torch.nn.Linear(1, 1)],
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_not_plain_is_refused_with_its_type(value):
    """pickle would keep it, and run code when it is read."""
    with pytest.raises(ValueError, match=r"cannot be kept|no type in NumPy"):
        plain.dump(value)


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_damaged_bytes_are_a_value_error(cut):
    """A build that was killed must compute again, not end in a traceback."""
    with pytest.raises(ValueError, match="no plain result"):
        plain.load(plain.dump([np.arange(99)])[:cut])
