"""The world: probabilities that sum to one, and readers that agree."""

import hashlib
import math
import random
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.tinyworld.world import TinyWorld, WorldConfig

SEEDS = st.integers(0, 2**32)
TINY = {
    "n_people": 6, "n_towns": 2, "n_things": 3, "n_places": 3, "n_shops": 1,
    "n_animals": 1, "n_foods": 2, "n_nooks": 1, "n_digits": (1,),
    "passing": 0, "max_forms": 1, "max_alternatives": 1,
}  # fmt: skip


@cache
def world():
    return TinyWorld()


@cache
def small():
    return tiny(plots=("swap", "journey"))


@cache
def every():
    return {document.text: document for document in small().enumerate()}


def tiny(**changes):
    return TinyWorld(3, WorldConfig(**{**TINY, **changes}))


@settings(deadline=None, max_examples=60)
@given(SEEDS)
def test_reading_gives_the_probability_of_writing(seed):
    """A choice that is counted when it is drawn and not when it is read."""
    for document in world().documents(seed, n=3):
        found = world().log_prob(document.text)
        assert found == pytest.approx(document.log_prob, abs=1e-9)
        assert world().check(document.text).ok


@pytest.mark.untraced
@pytest.mark.parametrize(
    "changes",
    [
        {"plots": ("lost",)},
        {"plots": ("stuck",)},
        {"plots": ("borrow",)},
        {"plots": ("quarrel", "journey")},
        {"plots": ("hungry",)},
        {"plots": ("swap",), "passing": 1, "story_question": 0},
        {"story": 0, "story_question": 0, "max_alternatives": 2},
        {"story": 0, "story_question": 0, "n_people": 7, "n_towns": 9},
    ],
)
def test_all_probabilities_sum_to_one(changes):
    """Two derivations of one text, of which either would be too little; a
    choice that is counted twice, or not at all."""
    world = tiny(**changes)
    every = list(world.enumerate())
    assert len({document.text for document in every}) == len(every)
    total = math.fsum(math.exp(document.log_prob) for document in every)
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.untraced
def test_no_document_begins_another():
    """A text that leaves open whether it has ended, so that the separator
    would cost something that the floor does not count."""
    drawn = {document.text for document in world().documents(5, 1500)}
    for texts in (sorted(every()), sorted(drawn)):
        assert len(texts) > 1000
        for text, following in pairwise(texts):
            assert not following.startswith(text)


def test_no_damage_breaks_the_reader():
    """A model's sample that the reader cannot bear."""
    rng = random.Random(6)
    texts = [document.text for document in world().documents(6, 60)]
    kinds = set()
    for text in texts:
        words, others = text.split(" "), rng.choice(texts).split(" ")
        at = rng.randrange(len(words))
        if rng.random() < 0.5:
            words[at] = rng.choice(others)
        else:
            words[at:] = others[at:]
        damaged = " ".join(words)
        verdict = world().check(damaged)
        kinds.add(verdict.kind)
        assert 0 <= verdict.offset <= len(damaged)
        assert verdict.ok == (world().log_prob(damaged) > -math.inf)
    assert len(kinds) > 1


@pytest.mark.untraced
@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_text_has_its_own_probability(data):
    """A damaged text that keeps the probability of the whole one, and a
    text that exists, by another way than it was made."""
    text = data.draw(st.sampled_from(sorted(every())))
    words = text.split(" ")
    at = data.draw(st.integers(0, len(words) - 1))
    others = data.draw(st.sampled_from(sorted(every()))).split(" ")
    change = data.draw(st.integers(0, 3))
    if change == 0:
        words[at] = data.draw(st.sampled_from(others))
    elif change == 1:
        del words[at]
    elif change == 2:
        words[at:] = others[at:]
    else:
        names = [p.name for p in small().narrator.world.kinds["person"].values]
        old, new = data.draw(st.permutations(names))[:2]
        words = text.replace(old, new).split(" ")
    changed = " ".join(words)
    expected = every()[changed].log_prob if changed in every() else -math.inf
    assert small().log_prob(changed) == pytest.approx(expected, abs=1e-9)
    assert small().check(changed).ok == (changed in every())


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.floats(0, 1))
def test_a_text_that_stops_is_incomplete(seed, part):
    """A sample cut by its length limit that is called wrong."""
    text = next(world().documents(seed)).text
    stops = int(part * len(text))
    verdict = world().check(text[:stops])
    assert (verdict.kind, verdict.offset) == (
        ("incomplete", stops) if stops < len(text) else ("ok", len(text))
    )
    assert stops == len(text) or world().log_prob(text[:stops]) == -math.inf


def test_the_bytes_are_pinned():
    """Other bytes on another machine or Python, or after a change that
    nobody meant: every number of the book depends on them."""
    text = "\n".join(d.text for d in world().documents(seed=0, n=400))
    assert len(text) > 100_000
    digest = hashlib.sha256(text[:100_000].encode()).hexdigest()
    assert digest == (
        "e664effdd4f7bc354127e00f0fffdb9e565aa9d9375a54da3ddfb388acec721c"
    )


@pytest.mark.untraced
def test_texts_are_ascii_and_fill_their_budget():
    """A byte that is not a character; a corpus far below its size."""
    texts = list(world().texts(300_000, seed=1))
    assert all(text.isascii() for text in texts)
    assert 298_000 < sum(map(len, texts)) <= 300_000
    first = [d.text for d in world().documents(1, len(texts))]
    assert texts == first


@pytest.mark.untraced
def test_stories_have_the_length_of_a_story():
    """Stories of two lines, or ones that fill a context window."""
    sizes = sorted(
        len(document.text)
        for document in world().documents(2, 2000)
        if document.kind == "story"
    )
    assert sizes[len(sizes) // 100] > 200
    assert sizes[-len(sizes) // 100] < 1000


def test_worlds_differ_in_facts_and_documents_in_their_seed():
    """A seed that decides nothing."""
    other = TinyWorld(1)
    pages = [d.text for d in world().documents(0, 200) if d.kind == "facts"]
    assert pages
    assert not any(other.check(text).ok for text in pages)
    one, two = (next(world().documents(seed)).text for seed in (0, 1))
    assert one != two


@pytest.mark.untraced
def test_the_floor_is_exact_in_a_small_world():
    """An estimate of something else than the entropy."""
    exact = small().entropy_per_byte(None)
    drawn = small().entropy_per_byte(2000, seed=1)
    assert exact.standard_error == 0
    gap = abs(exact.nats_per_byte - drawn.nats_per_byte)
    assert gap < 4 * drawn.standard_error
    with pytest.raises(ValueError, match="more than 10 documents"):
        list(small().enumerate(10))


@pytest.mark.untraced
def test_the_floor_is_what_the_true_model_loses():
    """A floor below or above the loss of the one perfect model."""
    floor = world().entropy_per_byte(1500)
    drawn = list(world().documents(9, 1500))
    nats = -sum(document.log_prob for document in drawn)
    loss = nats / sum(len(document.text) for document in drawn)
    assert loss == pytest.approx(floor.nats_per_byte, rel=0.03)
    assert floor.standard_error < 0.01 * floor.nats_per_byte


@pytest.mark.untraced
def test_questions_are_answered_and_graded():
    """A gold answer that is not what the world would say."""
    rng = random.Random(4)
    for _ in range(200):
        document = world().question(rng)
        assert document.text == f"{document.prompt} {document.answer}."
        assert document.question in document.text
        assert world().answer(document.prompt) == document.answer
        assert world().grade(document, f" {document.answer}.\n")
        assert world().grade(
            document.prompt, f"So.\nAnswer: {document.answer}"
        )
        assert not world().grade(document, f"{document.answer} or not")
        assert not world().grade(document, "")


def test_kinds_can_be_asked_for():
    """A story where a sum was wanted."""
    rng = random.Random(0)
    document = world().sample(rng, kinds=["sum"])
    assert document.kind == "sum"
    assert world().log_prob(document.text) == pytest.approx(document.log_prob)
    assert document.prompt is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TinyWorld(-1), "seed is -1"),
        (lambda: world().documents(-2), "seed is -2"),
        (lambda: world().documents(0, -1), "n is -1; give 0 or more"),
        (lambda: world().texts(10, seed=-2), "seed is -2"),
        (lambda: world().sample(random.Random(), ["poem"]), "poem.*story"),
        (lambda: world().sample(random.Random(), []), r"kinds is \[\]"),
        (lambda: world().answer("Once upon a time"), "ungrammatical"),
        (lambda: world().answer("In "), "'Answer:'"),
        (lambda: world().answer("47 + 38\n7 + 8"), "'Answer:'"),
        (lambda: world().answer("Question: What "), "'Answer:'"),
        (lambda: world().grade(NO_QUESTION, "x"), "asks nothing"),
        (lambda: world().entropy_per_byte(1), "two or more"),
    ],
)
def test_bad_input_is_named(call, message):
    """An endless search for a document that cannot come."""
    with pytest.raises(ValueError, match=message):
        call()


NO_QUESTION = world().sample(random.Random(0), kinds=["facts"])
