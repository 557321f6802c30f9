import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scratchlm.inference.constrained.expression import (
    EMPTY,
    Listed,
    call,
    either,
    literal,
    one_of,
    sequence,
)
from scratchlm.inference.constrained.grammar import pattern, recursive
from scratchlm.inference.constrained.json_schema import json_schema
from scratchlm.inference.constrained.vocabulary import Vocabulary

BYTES = {i: bytes([i]) for i in range(256)}
PIECES = [
    *[b'"', b'":', b'","', b'"}', b"}]", b"[{", b"null", b"true,", b"12"],
    *[b"\xc3", b"\xa9", "é".encode(), 'é"'.encode(), b"\\u00"],
    *[b"a", b"ab", b'ab":', b"aaaa", b"b"],
]


def brute_force(vocabulary, state, ends=lambda state: True):
    """Which tokens may follow, each by itself."""
    found = torch.zeros(vocabulary.size, dtype=torch.bool)
    for token, text in vocabulary.tokens.items():
        after = state.advance(text)
        found[token] = after is not None and ends(after)
    return found


@given(data=st.data())
@settings(max_examples=40)
def test_a_mask_is_what_each_token_by_itself_says(data, schemas):
    """A token that reaches over the end of a string into the next member,
    one that ends within a character, one that is the same bytes as
    another."""
    schema = data.draw(schemas)
    try:
        state = json_schema(schema).start()
    except ValueError:
        assume(False)
    extra = data.draw(st.lists(st.sampled_from(PIECES), max_size=12))
    tokens = BYTES | {257 + i: text for i, text in enumerate(extra)}
    vocabulary = Vocabulary(tokens, 280)
    for _ in range(6):
        mask = vocabulary.allowed(state)
        torch.testing.assert_close(mask, brute_force(vocabulary, state))
        assert mask.any() or state.accepts
        if not mask.any():
            break
        token = data.draw(st.sampled_from(mask.nonzero()[:, 0].tolist()))
        state = state.advance(tokens[token])


def paths(vocabulary, state, n):
    """Whether up to n tokens end a text, tried one after another."""
    if state.accepts:
        return True
    return n > 0 and any(
        after is not None and paths(vocabulary, after, n - 1)
        for after in map(state.advance, vocabulary.tokens.values())
    )


@given(
    source=st.sampled_from(["(ab)*", "a{3}|b", "a(bb)*c?", "(aa|b)+", "é"]),
    pieces=st.lists(
        st.sampled_from([b"a", b"ab", b"bb", b"aa", b"ba", b"c", b"\xc3",
                         b"\xa9", b"b"]), min_size=1, max_size=5),
)  # fmt: skip
def test_without_all_bytes_no_token_leads_astray(source, pieces):
    """The automaton can still end and the vocabulary cannot: whoever writes
    is stuck although each token was allowed."""
    grammar = pattern(source)
    vocabulary = Vocabulary(dict(enumerate(pieces)), 5)
    state = grammar.start()
    assert vocabulary.ends(state) == paths(vocabulary, state, 5)
    for text in [b"", *pieces]:
        after = state.advance(text)
        if after is not None:
            wanted = brute_force(
                vocabulary, after, lambda s: paths(vocabulary, s, 5)
            )
            torch.testing.assert_close(vocabulary.allowed(after), wanted)


def test_what_cannot_be_found_out_is_said():
    """A search without end through the depths of a recursion."""
    rules = Listed()
    nest = call(rules, "nest")
    rules.bodies["nest"] = either(
        literal(b"x"), sequence(literal(b"("), nest, literal(b")"))
    )
    grammar = recursive("nest", rules)
    missing = Vocabulary({0: b"(", 1: b"x"}, 2)
    with pytest.raises(ValueError, match=r"single byte.*too many states"):
        missing.allowed(grammar.start())
    enough = Vocabulary({0: b"(", 1: b"x", 2: b")"}, 3)
    assert enough.allowed(grammar.start()).tolist() == [True, True, False]


def test_masks_are_kept_by_state():
    """Each state of a text as long as a book with a mask of its own."""
    vocabulary = Vocabulary(BYTES, 256)
    start = pattern("(ab|cb)*x").start()
    first = vocabulary.allowed(start.advance(b"a"))
    assert vocabulary.allowed(start.advance(b"abc")) is first


def test_a_full_store_is_emptied(monkeypatch):
    """Masks kept without a bound fill the memory of a server in days."""
    from scratchlm.inference.constrained import vocabulary as module

    monkeypatch.setattr(module, "MOST_FLAGS", 2 * 256)
    monkeypatch.setattr(module, "MOST_IDS", 2)
    vocabulary, state = Vocabulary(BYTES, 256), pattern("abcdef").start()
    for byte in b"abcdef":
        assert vocabulary.allowed(state).nonzero().tolist() == [[byte]]
        assert len(vocabulary._masks) <= 2
        state = state.advance(byte)


def test_a_deep_choice_is_walked_through_its_parts():
    """Parts that may be empty, one behind the other: a token that reaches
    over all of them."""
    rules = Listed()
    last = call(rules, "last")
    rules.bodies["last"] = either(EMPTY, literal(b"z"))
    option = either(EMPTY, one_of((97, 98)))
    rules.bodies["all"] = sequence(option, option, option, last)
    grammar = recursive("all", rules)
    tokens = {0: b"a", 1: b"abz", 2: b"z", 3: b"za", 4: b"aaaz", 5: b"abab"}
    tokens |= {6 + b: bytes([b]) for b in b"bz"}
    vocabulary = Vocabulary(tokens, 200)
    torch.testing.assert_close(
        vocabulary.allowed(grammar.start()),
        brute_force(vocabulary, grammar.start()),
    )


@pytest.mark.parametrize("tokens", [{}, {0: b""}, {-1: b"a"}, {3: b"a"}])
def test_a_vocabulary_has_bytes(tokens):
    """An empty token that may be written for ever without an end."""
    with pytest.raises(ValueError, match="give"):
        Vocabulary(tokens, 3)
