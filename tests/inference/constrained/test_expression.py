from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.constrained.expression import (
    EMPTY,
    VOID,
    Listed,
    both,
    call,
    either,
    literal,
    one_of,
    repeat,
    sequence,
    terminal,
)

TEXTS = [bytes(t) for n in range(5) for t in product(b"ab", repeat=n)]


def language(tree):
    """The texts of up to four bytes, by sets."""
    kind, *parts = tree
    if kind == "literal":
        found = {parts[0]}
    elif kind == "one_of":
        found = {bytes([b]) for b in b"ab" if parts[0] <= b <= parts[1]}
    elif kind == "either":
        found = set().union(*map(language, parts))
    elif kind == "both":
        found = language(parts[0]) & language(parts[1])
    elif kind == "sequence":
        found = {a + b for a in language(parts[0]) for b in language(parts[1])}
    else:
        item, least, most = language(parts[0]), parts[1], parts[2]
        found, power = set(), {b""}
        for n in range(12 if most is None else most + 1):
            if n >= least:
                found |= power
            power = {a + b for a in power for b in item if len(a + b) <= 4}
    return {text for text in found if len(text) <= 4}


def expression(tree):
    kind, *parts = tree
    if kind == "literal":
        return literal(parts[0])
    if kind == "one_of":
        return one_of((parts[0], parts[1]))
    if kind == "repeat":
        return repeat(expression(parts[0]), parts[1], parts[2])
    made = {"either": either, "both": both, "sequence": sequence}[kind]
    return made(*map(expression, parts))


def grown(inner):
    counts = st.tuples(st.integers(0, 3), st.one_of(st.none(), st.just(3)))
    return st.one_of(
        st.tuples(st.just("either"), inner, inner),
        st.tuples(st.just("both"), inner, inner),
        st.tuples(st.just("sequence"), inner, inner),
        st.tuples(st.just("repeat"), inner, counts).map(
            lambda t: ("repeat", t[1], *t[2])
        ),
    )


TREES = st.recursive(
    st.one_of(
        st.tuples(st.just("literal"), st.sampled_from([b"", b"a", b"ab"])),
        st.tuples(st.just("one_of"), st.sampled_from(b"ab"), st.just(98)),
    ),
    grown,
    max_leaves=6,
)


def accepts(node, text):
    for byte in text:
        node = node.after(byte)
    return bool(node.nullable)


@given(tree=TREES)
def test_an_expression_is_its_set_of_texts(tree):
    """A derivative that loses the tail where the head may be empty, a count
    that is one too many, options that are both read on as one."""
    node, texts = expression(tree), language(tree)
    assert {text for text in TEXTS if accepts(node, text)} == texts
    whole = terminal(node)
    assert {text for text in TEXTS if accepts(whole, text)} == texts


@given(tree=TREES)
def test_no_state_is_dead(tree):
    """A state from which no text ends is a trap for whoever writes."""
    seen, waiting = set(), [expression(tree)]
    before = {}
    for node in waiting:
        for byte in b"ab":
            after = node.after(byte)
            before.setdefault(after, set()).add(node)
            assert (after is not VOID) == bool(node.first >> byte & 1)
            if after is not VOID and after not in seen:
                seen.add(after)
                waiting.append(after)
    alive = [node for node in {*waiting} if node.nullable]
    for node in alive:
        alive += before.get(node, set()) - {*alive}
    assert {*waiting} - {VOID} <= {*alive}


def test_what_is_equal_is_the_same_node():
    """States that are equal and have masks of their own fill the memory."""
    a, b = literal(b"a"), one_of((98, 99))
    assert sequence(a, sequence(b, a)) is sequence(sequence(a, b), a)
    assert either(a, either(b, a)) is either(b, a)
    assert either(a, VOID) is a
    assert sequence(a, VOID) is VOID
    assert repeat(a, 1, 1) is a
    assert repeat(EMPTY, 3, None) is EMPTY
    assert repeat(VOID, 0, None) is EMPTY
    assert repeat(VOID, 1, None) is VOID
    assert repeat(a, 3, 2) is VOID
    assert both(a, a) is a
    assert both(a, b) is VOID
    assert one_of() is VOID
    assert literal(b"") is EMPTY


def test_a_rule_may_call_itself_behind_something():
    """Nested brackets are what no automaton without a stack can check."""
    rules = Listed()
    nest = call(rules, "nest")
    a, b = literal(b"a"), literal(b"b")
    rules.bodies["nest"] = either(EMPTY, sequence(a, nest, b))
    assert accepts(nest, b"a" * 50 + b"b" * 50)
    assert not accepts(nest, b"a" * 50 + b"b" * 49)
    assert not accepts(nest, b"a" * 50 + b"b" * 51)


def test_a_rule_that_begins_with_itself_is_refused():
    """Left recursion reads no byte and goes round for ever."""
    rules = Listed()
    nest = call(rules, "nest")
    rules.bodies["nest"] = either(literal(b"a"), sequence(nest, nest))
    with pytest.raises(ValueError, match="'nest' begins with itself"):
        nest.after(97).after(97)
    rules.bodies["nest"] = sequence(nest, literal(b"a"))
    with pytest.raises(ValueError, match="'nest' begins with itself"):
        _ = nest.nullable
