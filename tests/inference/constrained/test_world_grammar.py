import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.inference.constrained.vocabulary import Vocabulary
from scratchlm.inference.constrained.world_grammar import world_grammar
from scratchlm.text.tinyworld.config import WorldConfig
from scratchlm.text.tinyworld.world import TinyWorld

WORLDS = [
    TinyWorld(0),
    TinyWorld(3, WorldConfig(n_people=7, n_towns=2, n_digits=(1, 2))),
]
SMALL = WorldConfig(
    story_question=0, sum=0, sum_question=0, n_people=6, n_towns=1,
    facts_question=0, n_things=3, n_places=3, n_shops=1, n_animals=1,
    n_foods=2, n_nooks=1, plots=("afraid",), passing=0, n_digits=(1,),
    max_forms=1, max_alternatives=1,
)  # fmt: skip
GRAMMARS = {
    (i, true): world_grammar(world, true=true)
    for i, world in enumerate(WORLDS)
    for true in (False, True)
}


def walk(grammar, seed):
    """A document by random bytes."""
    draw, state, text = random.Random(seed), grammar.start(), b""
    while True:
        first = state.expression.first
        after = [b for b in range(128) if first >> b & 1]
        if not after:
            return text.decode()
        assert not state.accepts, "no document begins another"
        text += bytes([draw.choice(after)])
        state = state.advance(text[-1])


@pytest.mark.parametrize("true", [False, True])
@pytest.mark.parametrize("which", [0, 1])
def test_all_that_the_world_tells_is_in_its_grammar(which, true):
    """A line, a plot or a question that the grammar has forgotten."""
    world, grammar = WORLDS[which], GRAMMARS[which, true]
    for document in world.documents(11, 6):
        assert grammar.accepts(document.text), document.text


@given(seed=st.integers(0, 2**32), which=st.integers(0, 1))
@settings(max_examples=4)
def test_what_the_true_grammar_writes_is_true(seed, which):
    """A friend who is none, a sum whose carry is lost, a thing that someone
    else has."""
    text = walk(GRAMMARS[which, True], seed)
    assert WORLDS[which].check(text).ok, text


@given(seed=st.integers(0, 2**32), which=st.integers(0, 1))
@settings(max_examples=4)
def test_what_the_other_grammar_writes_is_well_formed(seed, which):
    """A sentence that no form has, or a line that cannot stand there."""
    text = walk(GRAMMARS[which, False], seed)
    assert WORLDS[which].check(text).kind in ("ok", "false", "impossible")


@given(seed=st.integers(0, 2**32), where=st.floats(0, 1))
@settings(max_examples=12)
def test_a_changed_word_is_judged_as_the_world_does(seed, where):
    """A grammar that lets a wrong name pass, or refuses a right one."""
    world, draw = WORLDS[0], random.Random(seed)
    one, other = (world.sample(draw).text.split(" ") for _ in range(2))
    place = int(where * (len(one) - 1))
    one[place] = other[int(where * (len(other) - 1))]
    text = " ".join(one)
    assert GRAMMARS[0, True].accepts(text) == world.check(text).ok


def test_a_small_world_is_its_documents():
    """Listed one by one: nothing is missing, and nothing more."""
    world = TinyWorld(1, SMALL)
    grammar = world_grammar(world, true=True)
    told = {document.text for document in world.enumerate()}
    found, waiting = set(), [(b"", grammar.start())]
    while waiting:
        text, state = waiting.pop()
        if state.accepts:
            found.add(text.decode())
        for byte in range(128):
            if state.expression.first >> byte & 1:
                waiting.append((text + bytes([byte]), state.advance(byte)))
    assert found == told


def test_tokens_may_straddle_lines():
    """A token that ends one sentence and begins the next."""
    grammar = GRAMMARS[0, True]
    text = WORLDS[0].sample(random.Random(3), ["story"]).text.encode()
    at = text.index(b". ")
    tokens = {i: bytes([i]) for i in range(256)} | {256: text[at - 3 : at + 4]}
    vocabulary = Vocabulary(tokens, 257)
    assert vocabulary.allowed(grammar.start().advance(text[: at - 3]))[256]
    assert not vocabulary.allowed(grammar.start())[256]
