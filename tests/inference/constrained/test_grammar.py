import pytest

from scratchlm.inference.constrained.expression import (
    EMPTY,
    VOID,
    Listed,
    call,
    either,
    literal,
    sequence,
)
from scratchlm.inference.constrained.grammar import (
    Grammar,
    pattern,
    recursive,
)


def test_a_state_is_what_may_follow():
    """States named by how they were reached: their masks are never found
    again."""
    start = pattern("(ab|cb)*x").start()
    assert start.advance(b"a") == start.advance(b"c")
    assert start.advance(b"ab") == start
    assert hash(start.advance(b"ab")) == hash(start)
    assert start.advance(ord("a")) == start.advance(b"a")
    assert start.advance(b"b") is None
    assert start.advance(b"") == start
    assert start.advance(b"x").accepts
    assert not start.accepts


def test_texts_are_bytes():
    """A character that a token cuts in two must be read half by half."""
    grammar = pattern("é+")
    half = grammar.start().advance("é".encode()[:1])
    assert not half.accepts
    assert half.advance("é".encode()[1:]).accepts
    assert grammar.accepts("éé")


def test_an_empty_grammar_is_refused():
    """A grammar that allows nothing hides all tokens, far from its cause."""
    with pytest.raises(ValueError, match="allows no text"):
        Grammar(VOID)


def test_rules_without_an_end_are_cut_off():
    """A loop that can be entered and never left."""
    rules = Listed()
    loop, good = call(rules, "loop"), call(rules, "good")
    rules.bodies["loop"] = sequence(literal(b"l"), loop)
    rules.bodies["good"] = either(
        EMPTY, sequence(literal(b"g"), good), sequence(literal(b"x"), loop)
    )
    grammar = recursive("good", rules)
    assert grammar.accepts("ggg")
    assert grammar.start().advance(b"x") is None
    assert grammar.alphabet == 1 << ord("g")
    with pytest.raises(ValueError, match="allows no text"):
        recursive("loop", rules)
