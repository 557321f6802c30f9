import pytest

from scratchlm.interop.files import Problems
from scratchlm.interop.number_types import FLOATS, one_type, tell_overflow

MIXED = {"a": "float32", "b": "bfloat16", "c": "bfloat16"}


def chosen(held, settings, asked=None):
    problems = Problems()
    return one_type(held, settings, asked, problems), problems.found


@pytest.mark.parametrize("said", [*FLOATS, "int8", None])
def test_a_file_of_one_type_has_that(said):
    """A file that is read whole and made anew because its settings, copied
    from another, name another type."""
    assert chosen({"a": "float16"}, {"dtype": said}) == ("float16", [])


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"torch_dtype": "float16"}, "float16"),
        ({"torch_dtype": "float16", "dtype": "float32"}, "float32"),
        ({"torch_dtype": "float16", "dtype": None}, "float16"),
    ],
)
def test_settings_decide_among_several(settings, kind):
    """The older name of the setting, which transformers reads where the
    newer is missing."""
    assert chosen(MIXED, settings) == (kind, [])
    assert chosen(MIXED, settings, "float64") == ("float64", [])


@pytest.mark.parametrize("said", [None, "auto", "float8_e4m3fn", ["float32"]])
def test_several_types_of_which_none_is_named(said):
    """The type of the first tensor, or of most."""
    kind, (problem,) = chosen(MIXED, {"dtype": said})
    assert kind is None
    assert "bfloat16: b and 1 more; float32: a" in problem
    assert "set it, or load with the dtype" in problem


def test_quantized_numbers_are_named_with_what_to_do():
    """Eight bits that become sixteen, and whose scales are lost."""
    held = {"a": "float8_e5m2", "b": "uint8", "c": "float32"}
    kind, problems = chosen(held, {"dtype": "float32"}, "float32")
    assert kind is None
    assert problems[0].startswith("a hold float8_e5m2: its scales")
    assert problems[1].startswith("b hold uint8: weights must be")
    kind, problems = chosen({"a": "float32"}, {}, "int8")
    assert kind is None
    assert problems[0].startswith("dtype is int8; use float64 or")


def test_an_overflow_is_told_by_name():
    """A line without a name, or one where there was none."""
    problems = Problems()
    tell_overflow(set(), "float16", problems)
    assert problems.found == []
    tell_overflow({"b", "a"}, "float16", problems)
    assert problems.found[0].startswith("a, b have numbers too large")
