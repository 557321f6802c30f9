import gc
import threading
import weakref

import numpy as np
import pytest

from scratchlm.training.backprop import functions
from scratchlm.training.backprop.autograd import (
    Variable,
    no_grad,
    unbroadcast,
)
from scratchlm.training.backprop.gradient_check import check_gradients


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-1, -2)])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_sums_over_axes(name, axis, keepdims):
    """A gradient spread along the wrong axis, where the axis is gone."""
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    check_gradients(lambda a: getattr(a, name)(axis, keepdims=keepdims), x)
    out = getattr(Variable(x), name)(axis, keepdims=keepdims)
    expected = getattr(x, name)(axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(out.data, expected, atol=1e-12)


@pytest.mark.parametrize("axes", [(), (1, 2, 0), (2, 0, 1), (-1, 0, 1)])
def test_axes_return_to_their_places(axes):
    """The same order on the way back, which is its own inverse for two axes
    and not for three."""
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    check_gradients(lambda a: a.transpose(*axes) * 2.0, x)
    check_gradients(lambda a: a.reshape(4, -1) * 2.0, x)


@pytest.mark.parametrize(
    "index",
    [
        1,
        -1,
        slice(None, None, 2),
        (Ellipsis, 0),
        np.array([1, 1, 0, 1]),
        np.array([[2, 0], [2, 2]]),
        (np.array([0, 1, 0]), np.array([2, 2, 2])),
        np.array([True, False, True]),
    ],
)
def test_rows_that_are_read_twice_get_both_gradients(index):
    """grad[index] += g, which counts a repeated row once."""
    x = np.random.default_rng(0).normal(size=(3, 4))
    check_gradients(lambda a: a[index], x)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((3,), (0, 1)), ((2, 1), (0, 2)), ((), (0, 1, 2)), ((4, 2, 3), ())],
)
def test_what_was_repeated_is_summed(shape, axes):
    """An axis that broadcasting put in front, left in the gradient."""
    g = np.random.default_rng(0).normal(size=(4, 2, 3))
    found = unbroadcast(g, shape)
    np.testing.assert_allclose(found, g.sum(axis=axes).reshape(shape))


def test_operands_may_be_numbers_and_arrays_on_either_side():
    """array * variable gives an array of objects, and a number of Python
    turns float32 into float64."""
    x = Variable(np.ones((2, 2), np.float32), requires_grad=True)
    array = np.full((2, 2), 3.0, np.float32)
    for out in (2 * x, x * 2.0, 1 - x, x - 1, 1 / x, x / 2, -x, x**2, 1 + x):
        assert isinstance(out, Variable)
        assert out.dtype == np.float32
    for out in (array * x, array + x, array - x, array / x, array @ x):
        assert isinstance(out, Variable)
        assert out.requires_grad
    (array @ x).sum().backward()
    assert x.grad.tolist() == [[6, 6], [6, 6]]


def test_a_gradient_has_the_type_of_its_variable():
    """A constant of float64 that doubles the memory of all gradients."""
    x = Variable(np.ones(3, np.float32), requires_grad=True)
    (x * np.ones(3)).sum().backward()
    assert x.grad.dtype == np.float32


def test_gradients_add_up_until_they_are_cleared():
    """A second batch that replaces the first."""
    x = Variable([2.0], requires_grad=True)
    for expected in (4.0, 8.0):
        (x * x).backward()
        assert x.grad.tolist() == [expected]
    x.grad = None
    (x * x).backward()
    assert x.grad.tolist() == [4.0]


def test_two_leaves_do_not_share_one_gradient():
    """The gradient of a sum is one array for both terms; whoever clips the
    one in place clips the other."""
    a, b = (Variable([1.0, 1.0], requires_grad=True) for _ in range(2))
    seed = np.ones(2)
    (a + b).backward(seed)
    a.grad *= 5
    assert b.grad.tolist() == [1, 1]
    assert seed.tolist() == [1, 1]


def test_a_second_backward_is_refused_and_changes_nothing():
    """Gradients of a graph that is half gone."""
    x = Variable([3.0], requires_grad=True)
    y = x * x
    loss = y * 2.0
    loss.backward()
    with pytest.raises(ValueError, match=r"second backward.*keep_graph"):
        loss.backward()
    again = y * x  # through what the first pass freed
    with pytest.raises(ValueError, match="second backward"):
        again.backward()
    assert x.grad.tolist() == [12.0]


def test_a_graph_that_is_kept_can_be_walked_again():
    """A row of a Jacobian for each pass."""
    x = Variable([1.0, 2.0], requires_grad=True)
    y = x * x
    rows = []
    for seed in np.eye(2):
        y.backward(seed, keep_graph=True)
        rows.append(x.grad.tolist())
        x.grad = None
    assert rows == [[2, 0], [0, 4]]


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (None, r"shape \(2,\), which has one gradient for each.*pass seed"),
        (np.ones(3), r"seed of shape \(3,\) for a result of shape \(2,\)"),
    ],
)
def test_backward_needs_one_number_or_a_seed(seed, message):
    """The gradient of a sum that nobody asked for, or one that broadcast."""
    x = Variable([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=message):
        (x * 2.0).backward(seed)
    assert x.grad is None


def test_backward_needs_a_weight():
    """An evaluation whose backward does nothing, in silence."""
    x = Variable([1.0], requires_grad=True)
    with no_grad():
        out = x * 2.0
    for constant in (out, Variable([1.0]) * 2.0, (x * x).detach()):
        assert not constant.requires_grad
        with pytest.raises(ValueError, match=r"no input.*requires_grad"):
            constant.backward()


def test_recording_returns_after_an_error():
    """no_grad for ever after, because an evaluation failed once."""
    x = Variable([1.0], requires_grad=True)

    def fail():
        with no_grad():
            with no_grad():
                pass
            assert not (x * x).requires_grad
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (x * x).requires_grad


def test_other_threads_go_on_recording():
    """An evaluation beside the training, which stops its gradients."""
    x = Variable([1.0], requires_grad=True)
    seen = []
    with no_grad():
        thread = threading.Thread(
            target=lambda: seen.append((x * x).requires_grad)
        )
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_detached_copy_is_a_constant():
    """A target that moves towards the prediction."""
    x = Variable([3.0], requires_grad=True)
    (x * x.detach()).backward()
    assert x.grad.tolist() == [3.0]


def test_arrays_of_the_graph_cannot_be_changed_in_place():
    """A step between forward and backward that changes the slopes which
    the graph has kept: gradients of no point that ever was."""
    x = Variable(np.array([3.0]), requires_grad=True)
    loss = (x * x) * 1.0
    for change in (
        lambda: x.data.__setitem__(0, 5.0),
        lambda: loss.data.__iadd__(1.0),
        lambda: x.reshape(1, 1).data.__setitem__((0, 0), 5.0),
    ):
        with pytest.raises(ValueError, match="read-only"):
            change()
    x.data = x.data + 2.0  # another array; the graph keeps the first
    loss.backward()
    assert x.grad.tolist() == [6.0]
    assert x.data.tolist() == [5.0]


def test_the_callers_array_stays_the_callers():
    """Weights that change when a buffer is filled anew, or a buffer that
    can no longer be filled."""
    buffer = np.ones(2)
    x = Variable(buffer)
    buffer[0] = 7.0
    assert x.data.tolist() == [1, 1]


def test_new_data_has_the_shape_and_type_of_the_old():
    """A bias of one number after a step with a gradient of the wrong shape,
    and a model that becomes float64."""
    x = Variable(np.ones((2, 2), np.float32), requires_grad=True)
    with pytest.raises(ValueError, match=r"shape \(2,\) in the place of"):
        x.data = np.ones(2)
    x.data = np.zeros((2, 2))
    assert x.dtype == np.float32


def test_memory_is_freed_without_the_garbage_collector():
    """A function on an edge that knows its own result: a cycle, and each
    step's arrays wait until the collector comes by."""
    x = Variable(np.ones(8), requires_grad=True)
    gc.disable()
    try:
        hidden = functions.tanh(x * 2.0)
        array = weakref.ref(hidden.data)
        loss = hidden.sum()
        del hidden
        assert array() is not None  # the derivative of tanh reads it
        del loss
        assert array() is None
    finally:
        gc.enable()


def test_what_no_derivative_reads_is_not_kept():
    """A graph of results, each of which lives until the end of the step."""
    x = Variable(np.ones(8), requires_grad=True)
    total = x + 1.0
    array = weakref.ref(total.data)
    loss = functions.tanh(total).sum()
    del total
    assert array() is None
    loss.backward()


def test_a_constant_input_costs_nothing_on_the_way_back():
    """The gradient of a batch, which nobody reads, computed at each step;
    and the weights kept for it."""
    x = Variable(np.ones((2, 2)))
    w = Variable(np.ones((2, 2)), requires_grad=True)
    assert len((x @ w).node.edges) == 1


def test_a_long_chain_walks_back():
    """RecursionError after a thousand steps of a loop, or on its end."""
    x = Variable([1.0], requires_grad=True)
    y = x
    for _ in range(2_000):
        y = y + 0.0
    y.backward(keep_graph=True)
    assert x.grad.tolist() == [1.0]
    del y


@pytest.mark.parametrize("shapes", [((3,), (3, 2)), ((2, 3), (3,))])
def test_a_product_with_a_vector_is_refused(shapes):
    """NumPy drops the axis, and the gradient cannot be transposed."""
    a, b = (Variable(np.ones(s), requires_grad=True) for s in shapes)
    with pytest.raises(ValueError, match="two axes or more"):
        a @ b


@pytest.mark.parametrize("data", [["a"], [1j]])
def test_what_has_no_gradient_is_refused(data):
    """A copy of object or complex numbers that fails far from here."""
    with pytest.raises(ValueError, match="has no gradient; give real"):
        Variable(data)


def test_whole_numbers_become_floating_point():
    """A weight of 1 that a step of 0.1 does not move."""
    x = Variable([1, 2], requires_grad=True)
    assert x.dtype == np.float64
    assert repr(x) == "Variable([1. 2.], requires_grad=True)"
    assert repr(Variable(2.0)) == "Variable(2.0)"


def test_a_constant_has_no_gradient_to_set():
    """A gradient that is stored nowhere."""
    x = Variable([1.0])
    assert x.grad is None
    with pytest.raises(ValueError, match="without requires_grad"):
        x.grad = np.ones(1)
