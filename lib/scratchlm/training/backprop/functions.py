"""Functions of variables: the bends of a network, and its loss."""

import numpy as np
from jaxtyping import Float, Int

from scratchlm.training.backprop.autograd import Array, Variable, result


def exp(x: Variable) -> Variable:
    """Return e to the power of each number."""
    y = np.exp(x.data)
    return result(y, (x, lambda g: g * y))


def log(x: Variable) -> Variable:
    """Return the natural logarithm of each number."""
    at = x.data
    return result(np.log(at), (x, lambda g: g / at))


def tanh(x: Variable) -> Variable:
    """Return the hyperbolic tangent of each number."""
    y = np.tanh(x.data)
    return result(y, (x, lambda g: g * (1 - y * y)))


def relu(x: Variable) -> Variable:
    """Return each number that is positive, and zero for the others.

    The slope at zero is taken to be zero.
    """
    positive = x.data > 0
    return result(x.data * positive, (x, lambda g: g * positive))


def log_softmax(x: Float[Variable, "*B V"]) -> Float[Variable, "*B V"]:
    """Return log-probabilities, composed of operations that differentiate.

    The largest logit is subtracted, so that no exponential overflows. It
    counts as a constant: it changes no probability, so no gradient flows
    through it.

    Args:
        x: logits.
    """
    shifted = x - x.data.max(-1, keepdims=True)
    return shifted - log(exp(shifted).sum(-1, keepdims=True))


def cross_entropy(
    logits: Float[Variable, "B V"], targets: Int[np.ndarray, " B"]
) -> Float[Variable, ""]:
    """Return the mean of -log p(target), as one operation.

    It keeps the probabilities and nothing else: the gradient with respect to
    the logits is the probabilities less one at the target, over B.

    Args:
        logits: scores of the V tokens.
        targets: the token that came, from 0 to V - 1.

    Raises:
        ValueError: there is no row, or a target is no token.
    """
    n, n_tokens = logits.shape
    check_targets(targets, n_tokens)
    rows = np.arange(n)
    shifted = logits.data - logits.data.max(-1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(-1, keepdims=True)
    p /= total
    loss = (np.log(total[:, 0]) - shifted[rows, targets]).mean()

    def vjp(g: Array) -> Array:
        grad = p * (g / n)
        grad[rows, targets] -= g / n
        return grad

    return result(loss, (logits, vjp))


def check_targets(targets: Int[np.ndarray, " B"], n_tokens: int) -> None:
    """Refuse targets that would count from the end, or beyond it.

    Args:
        targets: tokens.
        n_tokens: size of the vocabulary.

    Raises:
        ValueError: there is no target, or one is no token.
    """
    if not targets.size:
        raise ValueError("a mean over no targets; give one row or more")
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= n_tokens:
        raise ValueError(
            f"targets from {low} to {high} in a vocabulary of {n_tokens}; "
            f"give tokens from 0 to {n_tokens - 1}"
        )
