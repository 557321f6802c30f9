"""The order in which a graph of computations is walked back."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Vertex = TypeVar("Vertex")


def results_first(
    root: Vertex, inputs: Callable[[Vertex], Iterable[Vertex]]
) -> list[Vertex]:
    """Return all that ``root`` was computed from, results before inputs.

    Each vertex stands once, behind every vertex that it is an input of: the
    reverse of a topological order. The walk keeps its own stack, since a
    chain of a thousand operations is deeper than Python's.

    Args:
        root: the last result; it comes first.
        inputs: what a vertex was computed from, directly.

    Source: Tarjan 1976, "Edge-disjoint spanning trees and depth-first
    search": a depth-first search that notes each vertex on leaving it.
    """
    left: list[Vertex] = []
    seen = {id(root)}
    stack = [(root, iter(inputs(root)))]
    while stack:
        vertex, rest = stack[-1]
        fresh = next((each for each in rest if id(each) not in seen), None)
        if fresh is None:
            left.append(vertex)  # all its inputs stand before it
            stack.pop()
        else:
            seen.add(id(fresh))
            stack.append((fresh, iter(inputs(fresh))))
    return left[::-1]
