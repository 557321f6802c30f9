import numpy as np
import pytest

from scratchlm.training.backprop.autograd import Variable, result
from scratchlm.training.backprop.functions import exp, tanh
from scratchlm.training.backprop.gradient_check import (
    central_differences,
    check_gradients,
)


def test_differences_find_a_known_gradient():
    """Forward differences, whose error falls with the step and not with
    its square."""
    x = np.array([[0.3, -1.2], [2.0, 0.1]])
    found = central_differences(lambda a: np.sin(a).sum(), x)
    np.testing.assert_allclose(found, np.cos(x), atol=1e-9)


def test_the_input_is_left_as_it_was():
    """An entry that is moved and not moved back."""
    x = np.array([1.0, 2.0])
    central_differences(lambda a: float(a.prod()), x)
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("step", [0.0, -1e-3])
def test_a_step_must_lead_somewhere(step):
    """A division by zero that ends as NaN, equal to nothing."""
    with pytest.raises(ValueError, match=r"step is .*positive"):
        central_differences(lambda a: 1.0, np.ones(2), step)


def wrong_square(x):
    """Its derivative lacks the factor of two."""
    at = x.data
    return result(at * at, (x, lambda g: g * at))


def swapped(x):
    """Gradients that reach each other's entry: their sum is right."""
    return result(x.data * [1.0, 2.0], (x, lambda g: (g * [1.0, 2.0])[::-1]))


def nan_backward(x):
    """What comes back is no number."""
    return result(x.data * 1.0, (x, lambda g: g * np.nan))


@pytest.mark.parametrize("bad", [wrong_square, swapped, nan_backward])
def test_a_wrong_gradient_is_found(bad):
    """A check that sums the results, or asks whether NaN is too large."""
    with pytest.raises(ValueError, match="gradient of input 1 differs"):
        check_gradients(lambda a, b: a + bad(b), np.ones(2), np.ones(2) * 3)


def test_an_input_without_influence_has_gradient_zero():
    """None, compared with zero."""
    assert check_gradients(lambda a, b: tanh(a), np.ones(2), np.ones(3)) < 1e-9


def test_single_precision_is_refused():
    """Rounding of float32 is larger than most errors."""
    with pytest.raises(ValueError, match="float32; give float64"):
        check_gradients(exp, np.ones(2, np.float32))


def test_a_variable_is_made_for_each_call():
    """Differences taken of a graph that was built once."""
    seen = []

    def function(x):
        seen.append(x)
        return x * x

    check_gradients(function, np.ones(2))
    assert len({id(x) for x in seen}) == 5
    assert all(isinstance(x, Variable) for x in seen)
