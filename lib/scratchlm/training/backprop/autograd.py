"""Arrays that remember what they were computed from.

A :class:`Variable` holds an array. A :class:`Node` stands for it in the graph
and holds no array of its own, so that an intermediate result which no
derivative needs is freed as soon as the forward computation drops it. What a
derivative does need is kept by the function on the edge.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np

from scratchlm.training.backprop.graph import results_first

Array: TypeAlias = np.ndarray
# An operation on arrays without axes returns a scalar.
Computed: TypeAlias = np.ndarray | np.generic
# From the gradient of what an operation returned to that of one input.
VJP: TypeAlias = Callable[[Array], Computed]
Index: TypeAlias = Any  # whatever selects from an array
Numbers: TypeAlias = Any  # whatever numpy.array takes
Axes: TypeAlias = int | tuple[int, ...] | None

_recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without a graph: results inside need no gradient."""
    before = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(before)


class Node:
    """A variable's place in the graph.

    Args:
        shape: of the variable, and so of its gradient.
        dtype: of the variable, and so of its gradient.
        edges: what it was computed from: pairs of a node and the
            vector-Jacobian product with respect to it.
    """

    __slots__ = ("dtype", "edges", "grad", "shape")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype,
        edges: "tuple[tuple[Node, VJP], ...] | None" = (),
    ):
        self.shape, self.dtype, self.edges = shape, dtype, edges
        self.grad: Array | None = None

    def inputs(self) -> "Iterator[Node]":
        """Yield what the variable was computed from, directly.

        Raises:
            ValueError: an earlier backward pass has freed the edges.
        """
        if self.edges is None:
            raise ValueError(
                "a second backward through a graph that the first one freed; "
                "compute the loss again, or pass keep_graph=True to the first"
            )
        return (node for node, _ in self.edges)


class Variable:
    """An array, and the gradient of a later result with respect to it.

    >>> w = Variable([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    array([2., 4.])

    The array cannot be changed in place, since the graph may still need it;
    give ``data`` a new one. Operators follow NumPy's rules of broadcasting.

    Args:
        data: floating-point numbers; whole numbers become float64.
        requires_grad: whether a backward pass leaves a gradient in ``grad``.

    Raises:
        ValueError: ``data`` is not made of real numbers.

    Source: the name is that of Tokui et al. 2015, "Chainer".
    """

    # Let array * variable ask the variable, not each number of the array.
    __array_ufunc__ = None

    def __init__(self, data: Numbers, *, requires_grad: bool = False):
        self._data = _own(data)
        node = Node(self._data.shape, self._data.dtype)
        self.node = node if requires_grad else None

    @property
    def data(self) -> Array:
        """The array, which is read-only; assign another of its shape."""
        return self._data

    @data.setter
    def data(self, data: Numbers) -> None:
        new = _own(data)
        if new.shape != self.shape:
            raise ValueError(
                f"an array of shape {new.shape} in the place of one of shape "
                f"{self.shape}; make a new Variable for it"
            )
        self._data = new.astype(self.dtype, copy=False)

    @property
    def grad(self) -> Array | None:
        """The sum of what backward passes left, or None; leaves alone."""
        return self.node.grad if self.node else None

    @grad.setter
    def grad(self, grad: Array | None) -> None:
        if self.node is None:
            raise ValueError(
                "a variable without requires_grad has no gradient to set"
            )
        self.node.grad = grad

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to or through it."""
        return self.node is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return self._data.dtype

    def detach(self) -> "Variable":
        """Return the same numbers as a constant, out of the graph."""
        return result(self._data)

    def item(self) -> float:
        """Return the one number that it holds."""
        return float(self._data.item())

    def backward(
        self, seed: Array | None = None, *, keep_graph: bool = False
    ) -> None:
        """Add to the ``grad`` of each leaf the gradient of this result.

        Args:
            seed: gradient of the loss with respect to this variable; the
                number one where the variable is the loss.
            keep_graph: whether the graph outlives the pass; it is freed
                otherwise.

        Raises:
            ValueError: the variable is not a single number and there is no
                seed; the seed has another shape; no input required a
                gradient; or the graph was freed by an earlier pass.
        """
        if self.node is None:
            raise ValueError(
                "no input of this result requires a gradient; make the "
                "weights with requires_grad=True, outside of no_grad()"
            )
        if seed is None and self._data.size != 1:
            raise ValueError(
                f"backward from a result of shape {self.shape}, which has "
                "one gradient for each of its numbers; sum it to one number, "
                "or pass seed, the loss's gradient with respect to it"
            )
        one = np.ones(self.shape, self.dtype)
        _walk_back(self.node, one if seed is None else seed, keep_graph)

    def __add__(self, other: Any) -> "Variable":
        y = raw(other)
        return result(self._data + y, (self, _same), (other, _same))

    def __mul__(self, other: Any) -> "Variable":
        x, y = self._data, raw(other)
        return result(x * y, (self, lambda g: g * y), (other, lambda g: g * x))

    def __pow__(self, power: float | int) -> "Variable":
        x = self._data
        return result(
            x**power, (self, lambda g: g * (power * x ** (power - 1)))
        )

    def __neg__(self) -> "Variable":
        return result(-self._data, (self, np.negative))

    def __sub__(self, other: Any) -> "Variable":
        y = raw(other)
        return result(self._data - y, (self, _same), (other, np.negative))

    def __rsub__(self, other: Any) -> "Variable":
        return result(raw(other) - self._data, (self, np.negative))

    def __truediv__(self, other: Any) -> "Variable":
        x, y = self._data, raw(other)
        return result(
            x / y,
            (self, lambda g: g / y),
            (other, lambda g: -g * x / (y * y)),
        )

    def __rtruediv__(self, other: Any) -> "Variable":
        x, y = raw(other), self._data
        return result(x / y, (self, lambda g: -g * x / (y * y)))

    def __matmul__(self, other: Any) -> "Variable":
        x, y = self._data, raw(other)
        if min(np.ndim(x), np.ndim(y)) < 2:
            raise ValueError(
                f"a product of shapes {np.shape(x)} and {np.shape(y)}; "
                "matrices have two axes or more, so reshape a vector to a "
                "row or a column"
            )
        return result(
            x @ y,
            (self, lambda g: g @ np.swapaxes(y, -1, -2)),
            (other, lambda g: np.swapaxes(x, -1, -2) @ g),
        )

    def __rmatmul__(self, other: Numbers) -> "Variable":
        return Variable(other) @ self

    __radd__, __rmul__ = __add__, __mul__

    def sum(self, axis: Axes = None, *, keepdims: bool = False) -> "Variable":
        """Return the sum over one axis, several, or all.

        Args:
            axis: the axis or axes; None for all of them.
            keepdims: whether they stay, with length one.
        """
        shape = self.shape
        total = self._data.sum(axis=axis, keepdims=keepdims)
        kept = self._data.sum(axis=axis, keepdims=True).shape
        return result(
            total,
            (self, lambda g: np.broadcast_to(g.reshape(kept), shape)),
        )

    def mean(self, axis: Axes = None, *, keepdims: bool = False) -> "Variable":
        """Return the mean over one axis, several, or all.

        Args:
            axis: the axis or axes; None for all of them.
            keepdims: whether they stay, with length one.
        """
        total = self.sum(axis, keepdims=keepdims)
        return total * (total._data.size / self._data.size)

    def reshape(self, *shape: int) -> "Variable":
        """Return the same numbers in other axes.

        Args:
            *shape: lengths; one may be -1.
        """
        before = self.shape
        return result(
            self._data.reshape(shape), (self, lambda g: g.reshape(before))
        )

    def transpose(self, *axes: int) -> "Variable":
        """Return the axes in another order.

        Args:
            *axes: for each new axis, the old one; reversed where none is
                given.
        """
        order = axes or tuple(reversed(range(self.ndim)))
        back = np.argsort([axis % self.ndim for axis in order])
        return result(
            self._data.transpose(order), (self, lambda g: g.transpose(back))
        )

    def __getitem__(self, index: Index) -> "Variable":
        shape = self.shape

        def scatter(g: Array) -> Array:
            whole = np.zeros(shape, g.dtype)
            np.add.at(whole, index, g)  # whole[index] += g loses repeats
            return whole

        return result(self._data[index], (self, scatter))

    def __repr__(self) -> str:
        kind = ", requires_grad=True" if self.requires_grad else ""
        return f"Variable({self._data}{kind})"


def result(data: Computed, *edges: tuple[Any, VJP]) -> Variable:
    """Return what an operation computed, with its place in the graph.

    An input that needs no gradient gets no edge, and what only its edge
    would have kept is freed.

    Args:
        data: what was computed.
        *edges: for each input, the vector-Jacobian product: a function from
            the gradient of ``data`` to that of the input. It may have the
            shape that broadcasting gave the input.
    """
    new = Variable.__new__(Variable)
    new._data = np.asarray(data)
    new._data.flags.writeable = False
    new.node = None
    if _recording.get():
        needed = tuple(
            (each.node, vjp)
            for each, vjp in edges
            if isinstance(each, Variable) and each.node is not None
        )
        if needed:
            new.node = Node(new.shape, new.dtype, needed)
    return new


def raw(operand: Any) -> Any:
    """Return the array of a variable, and anything else as it is.

    A plain number stays one, for it takes on the type of the array that it
    meets, and an array of float64 would not.
    """
    return operand.data if isinstance(operand, Variable) else operand


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which its input was repeated.

    Args:
        grad: gradient of what broadcasting made of the input.
        shape: of the input.
    """
    if grad.shape == shape:
        return grad
    new = grad.ndim - len(shape)
    repeated = tuple(
        new + axis for axis, length in enumerate(shape) if length == 1
    )
    summed = grad.sum((*range(new), *repeated), keepdims=True)
    return summed.reshape(shape)


def _walk_back(root: Node, seed: Array, keep_graph: bool) -> None:
    """Carry gradients from a result to the leaves, each node once."""
    if seed.shape != root.shape:
        raise ValueError(
            f"a seed of shape {seed.shape} for a result of shape "
            f"{root.shape}; both shapes are one"
        )
    order = results_first(root, Node.inputs)
    waiting = {id(root): seed}
    for node in order:
        grad = waiting.pop(id(node))
        if not node.edges:
            old = node.grad
            node.grad = np.array(grad if old is None else old + grad)
        for source, vjp in node.edges or ():
            part = unbroadcast(np.asarray(vjp(grad)), source.shape)
            part = part.astype(source.dtype, copy=False)
            before = waiting.get(id(source))
            if before is not None:
                part = np.asarray(before + part)
            waiting[id(source)] = part
        if node.edges and not keep_graph:
            node.edges = None


def _same(grad: Array) -> Array:
    return grad


def _own(data: Numbers) -> Array:
    """Copy to a read-only array of floating-point numbers."""
    array = np.array(data)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise ValueError(
            f"data of type {array.dtype} has no gradient; give real numbers"
        )
    array.flags.writeable = False
    return array
