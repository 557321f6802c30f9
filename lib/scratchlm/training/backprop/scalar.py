"""Numbers that remember what they were computed from."""

import math
from collections.abc import Iterator

from scratchlm.training.backprop.graph import results_first


class Value:
    """A number, and with what slope it depends on its inputs.

    >>> a, b = Value(2.0), Value(3.0)
    >>> (a * b + a).backward()
    >>> a.grad, b.grad
    (4.0, 2.0)

    Args:
        data: the number.
        edges: what it was computed from: pairs of an input and the
            derivative of this number with respect to that input.

    Source: Wengert 1964, "A simple automatic derivative evaluation
    program", for the list of operations; Speelpenning 1980, "Compiling
    Fast Partial Derivatives", for the walk back.
    """

    def __init__(
        self,
        data: float | int,
        edges: "tuple[tuple[Value, float | int], ...]" = (),
    ):
        self.data, self.edges = data, edges
        self.grad: float | int = 0.0

    def inputs(self) -> "Iterator[Value]":
        """Yield what the number was computed from, directly."""
        return (each for each, _ in self.edges)

    def backward(self) -> None:
        """Add to each number's ``grad`` the derivative of this one by it."""
        order = results_first(self, Value.inputs)
        for each in order:
            if each.edges:
                each.grad = 0.0  # an earlier pass may have left its own
        self.grad = 1.0
        for each in order:
            for source, slope in each.edges:
                source.grad += slope * each.grad

    def __add__(self, other: "Value | float | int") -> "Value":
        other = _value(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other: "Value | float | int") -> "Value":
        other = _value(other)
        edges = ((self, other.data), (other, self.data))
        return Value(self.data * other.data, edges)

    def __pow__(self, power: float | int) -> "Value":
        slope = power * self.data ** (power - 1)
        return Value(self.data**power, ((self, slope),))

    def exp(self) -> "Value":
        """Return e to the power of the number."""
        y = math.exp(self.data)
        return Value(y, ((self, y),))

    def log(self) -> "Value":
        """Return the natural logarithm.

        Raises:
            ValueError: the number is not positive.
        """
        if self.data <= 0:
            raise ValueError(
                f"log of {self.data} is not a number; give a positive one"
            )
        return Value(math.log(self.data), ((self, 1 / self.data),))

    def tanh(self) -> "Value":
        """Return the hyperbolic tangent."""
        y = math.tanh(self.data)
        return Value(y, ((self, 1 - y * y),))

    def __neg__(self) -> "Value":
        return self * -1.0

    def __sub__(self, other: "Value | float | int") -> "Value":
        return self + _value(other) * -1.0

    def __truediv__(self, other: "Value | float | int") -> "Value":
        return self * _value(other) ** -1.0

    def __rsub__(self, other: float | int) -> "Value":
        return _value(other) - self

    def __rtruediv__(self, other: float | int) -> "Value":
        return _value(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __repr__(self) -> str:
        return f"Value({self.data:g}, grad={self.grad:g})"


def _value(number: Value | float | int) -> Value:
    return number if isinstance(number, Value) else Value(number)
