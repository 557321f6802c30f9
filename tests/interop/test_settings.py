from functools import partial

import pytest
from torch.nn import functional as F

from scratchlm.interop.files import Problems
from scratchlm.interop.settings import (
    Reader,
    settings_of,
    spelled,
)
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import CAUSAL, Window
from scratchlm.model.block.feedforward import GatedMLP, SwiGLU
from scratchlm.model.block.norm import RMSNorm


@pytest.fixture
def problems():
    return Problems()


@pytest.mark.parametrize("bad", ["3", 3.0, 0, -1, True, [3], 10**30])
def test_a_size_is_a_count(problems, bad):
    """True is an int in Python, and a model of one layer."""
    assert Reader({"n": bad}, problems).size("n", 5) == 1
    assert f"n is {bad!r}" in problems.found[0]


@pytest.mark.parametrize(
    "bad", ["3", 0, -1.0, True, float("nan"), 1e999, 10**400]
)
def test_a_number_is_above_nothing(problems, bad):
    """Python reads NaN and Infinity from JSON, and integers that no float
    can hold."""
    assert Reader({"x": bad}, problems).number("x", 5.0) == 1.0
    assert "x is" in problems.found[0]


def test_what_is_missing_or_null_is_the_default(problems):
    """null in the file is what its writer's class had as default."""
    reader = Reader({"a": None, "n": 7, "x": 2}, problems)
    assert reader.size("a", 3) == reader.size("b", 3) == 3
    assert reader.size("n") == 7
    assert reader.number("x", 1.0) == 2.0
    assert reader.flag("a", True) is True
    assert reader.table("a") == {}
    reader.only("a", "silu", "gelu")
    assert problems.found == []


def test_null_can_mean_none(problems):
    """Mistral without a window says null, and its class says 4096."""
    reader = Reader({"w": None, "x": None, "n": 3, "y": 3}, problems)
    assert reader.size_or_none("w", 4096) is None
    assert reader.size_or_none("gone", 4096) == 4096
    assert reader.size_or_none("n", None) == 3
    assert reader.number_or_none("x", 50.0) is None
    assert reader.number_or_none("gone", 50.0) == 50.0
    assert reader.number_or_none("y", 50.0) == 3.0
    assert problems.found == []


def test_all_bad_settings_are_told(problems):
    """One at a time, one error for each run."""
    reader = Reader({"b": 1, "c": [], "d": "relu"}, problems)
    reader.size("a")
    reader.flag("b", False)
    reader.table("c")
    reader.only("d", "silu", "swish")
    told = "\n".join(problems.found)
    for part in ("a is missing", "b is 1", "c is []", "'silu' or 'swish'"):
        assert part in told


def test_settings_of_a_part_include_its_defaults():
    """A default that was not given, and so is not written."""
    assert settings_of(partial(DotProduct, scale=2.0)) == {
        "mask": CAUSAL,
        "scale": 2.0,
    }
    assert settings_of(RMSNorm) == {"eps": 1e-6}
    assert settings_of(Window(3)) == settings_of(F.gelu) == {}


def test_equal_parts_are_spelled_equally():
    """Two partials of one class never compare equal."""
    one = partial(DotProduct, mask=Window(3))
    other = partial(partial(DotProduct, scale=None), mask=Window(3))
    assert one != other
    assert spelled(one) == spelled(other)
    assert spelled(one) != spelled(partial(DotProduct, mask=Window(4)))
    assert spelled(RMSNorm) == spelled(partial(RMSNorm, eps=1e-6))
    assert spelled(SwiGLU) != spelled(GatedMLP)
