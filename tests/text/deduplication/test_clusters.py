"""Links to clusters, on arrays as one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.deduplication.clusters import UnionFind

LINKS = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)))


def join_naively(n, links):
    """The chapter's loop: a pointer for each number, one link at a time."""
    parent = list(range(n))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(i) for i in range(n)]


def joined(n, *batches):
    union = UnionFind(n)
    for links in batches:
        pairs = np.array(links, np.int64).reshape(-1, 2)
        union.link(pairs[:, 0], pairs[:, 1])
    return union.labels().tolist()


@given(LINKS, LINKS)
def test_arrays_equal_the_loop(first, second):
    """Two links of one root in one step, of which only the last is kept."""
    wanted = join_naively(30, first + second)
    assert joined(30, first, second) == wanted


@given(LINKS, st.randoms())
def test_the_order_of_links_is_no_matter(links, random):
    """Clusters that depend on which worker came first."""
    shuffled = random.sample(links, len(links))
    turned = [(b, a) for a, b in shuffled]
    assert joined(30, shuffled) == joined(30, turned) == joined(30, links)


def test_a_long_chain_needs_few_passes():
    """A pass for each link: a template that a site fills a million times
    would never end."""
    n = 1_000_000
    chain = np.arange(n)
    union = UnionFind(n)
    union.link(chain[1:], chain[:-1])
    assert not union.labels().any()
    union = UnionFind(n)
    shuffled = np.random.default_rng(0).permutation(n)
    union.link(shuffled[1:], shuffled[:-1])
    assert not union.labels().any()


def test_labels_are_a_copy():
    """A caller who edits the labels, and with them the sets."""
    union = UnionFind(3)
    union.labels()[:] = 0
    assert union.labels().tolist() == [0, 1, 2]
