from hypothesis import given
from hypothesis import strategies as st

from scratchlm.training.backprop.graph import results_first


@given(
    st.lists(st.lists(st.integers(0, 100), max_size=3), min_size=1, max_size=9)
)
def test_each_vertex_stands_once_and_behind_its_uses(choices):
    """A vertex that is used twice, walked back after the first use: half of
    its gradient reaches what lies before it."""
    # Vertex i was computed from vertices below i.
    inputs = [
        [c % i for c in each] if i else [] for i, each in enumerate(choices)
    ]
    root = len(inputs) - 1
    order = results_first(root, inputs.__getitem__)
    reached, waiting = {root}, [root]
    while waiting:
        fresh = set(inputs[waiting.pop()]) - reached
        reached |= fresh
        waiting += fresh
    assert sorted(order) == sorted(reached)
    place = {vertex: i for i, vertex in enumerate(order)}
    for vertex in order:
        for each in inputs[vertex]:
            assert place[vertex] < place[each]


def test_a_chain_may_be_longer_than_pythons_stack():
    """A recursive walk ends in RecursionError at a thousand operations,
    which a loop over a long text has."""
    order = results_first(5_000, lambda i: [i - 1] if i else [])
    assert order == list(range(5_000, -1, -1))
