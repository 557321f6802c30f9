"""Gradients from differences of values, and whether others agree."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from scratchlm.training.backprop.autograd import Variable

# Where truncation and rounding are about equal: the cube root of the
# distance from 1.0 to the next float64.
STEP = float(np.finfo(np.float64).eps) ** (1 / 3)


def central_differences(
    function: Callable[[np.ndarray], float | np.floating],
    x: Float[np.ndarray, "*S"],
    step: float = STEP,
) -> Float[np.ndarray, "*S"]:
    """Return the gradient of a number, two calls for each entry of ``x``.

    Args:
        function: from an array like ``x`` to a number.
        x: where to take the gradient.
        step: how far an entry is moved up and down.

    Raises:
        ValueError: ``step`` is not positive.
    """
    if step <= 0:
        raise ValueError(f"step is {step}; give a positive one")
    grad = np.empty_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        # The move that was made: x + step is rounded.
        grad[i] = (function(up) - function(down)) / (up[i] - down[i])
    return grad


def check_gradients(
    function: Callable[..., Variable],
    *inputs: Float[np.ndarray, "..."],
    tolerance: float = 1e-6,
) -> float:
    """Compare each gradient of a function with central differences.

    A function of many results is reduced to one number by random weights,
    since an error in one result could cancel that of another in a sum.

    Args:
        function: takes variables and returns one.
        *inputs: an array of float64 for each.
        tolerance: largest difference, relative to the larger of 1 and the
            largest entry of the gradient.

    Returns:
        The largest such difference.

    Raises:
        ValueError: a difference exceeds the tolerance, or an input is not
            of float64, in which rounding would hide errors.
    """
    for x in inputs:
        if x.dtype != np.float64:
            raise ValueError(f"an input of type {x.dtype}; give float64")
    leaves = [Variable(x, requires_grad=True) for x in inputs]
    out = function(*leaves)
    weights = np.random.default_rng(0).normal(size=out.shape)
    out.backward(weights)
    worst = 0.0
    for i, leaf in enumerate(leaves):

        def number(x: np.ndarray, i: int = i) -> float:
            moved = [Variable(each) for each in inputs]
            moved[i] = Variable(x)
            return float((function(*moved).data * weights).sum())

        slopes = central_differences(number, inputs[i])
        grad = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad
        scale = max(1.0, float(abs(slopes).max(initial=0)))
        off = float(abs(grad - slopes).max(initial=0)) / scale
        if not off <= tolerance:
            raise ValueError(
                f"the gradient of input {i} differs from central differences "
                f"by {off:.1e} of its size; check the operation's "
                "vector-Jacobian product"
            )
        worst = max(worst, off)
    return worst
