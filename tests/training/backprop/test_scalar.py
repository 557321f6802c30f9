import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.training.backprop.scalar import Value

NUMBERS = st.floats(-3, 3).filter(lambda x: abs(x) > 0.1)


def formula(x, y, tanh, exp, log):
    """Each operation, and each operand on either side."""
    a = x * y + 2 - y / x + (1 - x) * 3
    b = tanh(a * 0.1) * exp(-x) - 1 / (y**2 + 1)
    return log(b * b + 1) + a * x - b


@given(NUMBERS, NUMBERS)
def test_derivatives_equal_torchs(x, y):
    """A slope with the operands exchanged, or of the wrong sign."""
    a, b = Value(x), Value(y)
    ours = formula(a, b, Value.tanh, Value.exp, Value.log)
    ours.backward()
    c, d = (
        torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for v in (x, y)
    )
    theirs = formula(c, d, torch.tanh, torch.exp, torch.log)
    theirs.backward()
    assert ours.data == pytest.approx(theirs.item(), rel=1e-9)
    assert a.grad == pytest.approx(c.grad.item(), rel=1e-7, abs=1e-9)
    assert b.grad == pytest.approx(d.grad.item(), rel=1e-7, abs=1e-9)


def test_a_value_that_is_used_twice_adds_up():
    """grad = in place of grad +=, so that the last use wins."""
    x = Value(3.0)
    (x * x + x).backward()
    assert x.grad == 7.0


def test_a_use_deep_in_the_graph_counts_in_full():
    """A walk that visits by distance passes on y's gradient before all of
    it has arrived."""
    x = Value(2.0)
    y = x * 3.0
    z = ((y + 1.0) + 1.0) + 1.0
    (y * z).backward()
    # d/dx of 3x (3x + 3)
    assert x.grad == 18 * 2.0 + 9.0


def test_a_second_pass_adds_to_the_inputs_alone():
    """What an earlier pass left in the middle, carried back once more."""
    x = Value(2.0)
    y = (x * x) * 1.0
    y.backward()
    assert x.grad == 4.0
    y.backward()
    assert x.grad == 8.0
    assert y.edges[0][0].grad == 1.0


@pytest.mark.parametrize("x", [0.0, -1.0])
def test_the_logarithm_of_no_positive_number_is_refused(x):
    """A math domain error that does not name the number."""
    with pytest.raises(ValueError, match=f"log of {x}.*positive"):
        Value(x).log()


def test_it_shows_its_number_and_its_gradient():
    """A page full of object addresses."""
    assert repr(Value(2.5)) == "Value(2.5, grad=0)"
    assert math.isclose(Value(1.0).exp().data, math.e)
