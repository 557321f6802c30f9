"""How near a model is to the floor, against models that are known."""

import random
from importlib import import_module
from math import log

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from scratchlm.model.transformer import Transformer
from scratchlm.recipes.small_model import small_model
from scratchlm.recipes.world_report import (
    ASKED,
    excess,
    floors,
    held_out_documents,
    right_answers,
    sampled_texts,
    story_verdicts,
)
from scratchlm.recipes.world_text import END

# The face of the folder has a function of this name.
MODULE = import_module("scratchlm.recipes.world_report")


class Uniform(nn.Module):
    """Every token as likely as each other."""

    def __init__(self, vocab_size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.vocab_size = vocab_size

    def forward(self, tokens, cache=None):
        return self.weight.expand(*tokens.shape, self.vocab_size)


class Oracle(nn.Module):
    """Knows which token comes next in some rows.

    Args:
        rows: ids.
        vocab_size: of the logits.
        wrong: how far from a row's end it says something else; None for
            nowhere.
    """

    def __init__(self, rows, vocab_size, wrong=None):
        super().__init__()
        self.next = {tuple(row[:-1]): [*row[1:]] for row in rows}
        self.vocab_size, self.wrong = vocab_size, wrong

    def forward(self, tokens):
        found = torch.tensor(
            [self.next[tuple(row.tolist())] for row in tokens]
        )
        if self.wrong is not None:
            found[:, self.wrong] = (found[:, self.wrong] + 1) % self.vocab_size
        return F.one_hot(found, self.vocab_size).float()


@pytest.fixture
def asked(world, quick_tokenizer):
    """The rows of the questions that are asked, and where answers begin."""
    draws, rows = random.Random(ASKED), []
    end = quick_tokenizer.special_tokens[END]
    for _ in range(40):
        question = world.question(draws)
        rows.append([end, *quick_tokenizer.encode(question.text), end])
    return rows


def test_a_guess_costs_the_logarithm_of_the_vocabulary(quick_tokenizer):
    """Ends that are free, or a floor of other documents."""
    documents = [
        document
        for document in held_out_documents(80)
        if len(quick_tokenizer.encode(document.text)) < 256
    ]
    found = floors(Uniform(2000), quick_tokenizer, documents)
    kinds = {document.kind for document in documents}
    assert found.keys() == {"all", *kinds}
    for kind, floor in found.items():
        some = [d for d in documents if kind in ("all", d.kind)]
        n = sum(len(quick_tokenizer.encode(d.text)) + 1 for d in some)
        assert floor.nats == pytest.approx(n * log(2000), rel=1e-5)
        assert floor.least == pytest.approx(-sum(d.log_prob for d in some))
        assert floor.above == pytest.approx(floor.nats / floor.least - 1)
        assert floor.n == len(some)
        assert floor.above > 0


def test_the_excess_is_that_of_all_kinds(quick_tokenizer, monkeypatch):
    """The mean of the kinds, or that of other documents."""
    monkeypatch.setattr(
        MODULE, "world_tokenizer", lambda size: quick_tokenizer
    )
    wanted = floors(Uniform(2000), quick_tokenizer, held_out_documents(20))
    assert excess(Uniform(2000), vocab_size=2000, n=20) == wanted["all"].above


def test_the_world_tells_no_false_story(world):
    """A reader that finds fault with what the world itself tells."""
    texts = [document.text for document in held_out_documents(200)]
    stories = [d for d in held_out_documents(200) if "story" in d.kind]
    assert story_verdicts(texts) == {"ok": len(stories)}


def test_broken_stories_are_found(world):
    """Stories that count as told when they stop, or when they stammer."""
    stories = [
        d.text for d in held_out_documents(400) if d.kind.startswith("story")
    ][:20]
    cut = story_verdicts([text[: 2 * len(text) // 3] for text in stories])
    assert cut.total() == 20
    assert cut["ok"] == 0
    twice = story_verdicts(
        [text.replace(" the ", " the the ") for text in stories]
    )
    assert twice["ungrammatical"] > 15
    assert twice["ok"] == sum(" the " not in text for text in stories)


def test_other_texts_are_no_stories():
    """Sums among the stories, which raise the part of true ones."""
    texts = [
        document.text
        for document in held_out_documents(100)
        if "story" not in document.kind
    ]
    assert texts
    assert story_verdicts(texts).total() == 0


def test_who_knows_all_answers_is_always_right(asked, quick_tokenizer):
    """An answer that is compared one token too early."""
    found = right_answers(Oracle(asked, 2000), quick_tokenizer, 40)
    assert set(found.values()) == {1.0}
    assert len(found) > 1


@pytest.mark.parametrize("wrong", [-1, -2])
def test_an_answer_is_right_to_its_end(asked, quick_tokenizer, wrong):
    """Half an answer, or one that goes on, which counts as right."""
    model = Oracle(asked, 2000, wrong)
    found = right_answers(model, quick_tokenizer, 40)
    assert set(found.values()) == {0.0}


def test_what_is_said_of_the_question_does_not_count(asked, quick_tokenizer):
    """A model that must guess the question too."""
    found = right_answers(Oracle(asked, 2000, 0), quick_tokenizer, 40)
    assert set(found.values()) == {1.0}


def test_samples_are_texts(quick_tokenizer):
    """Ids, or texts with the ends of documents in them."""
    model = Transformer(small_model(2000, 64, 1, n_tokens=256)).eval()
    texts = sampled_texts(model, quick_tokenizer, 3, seed=0)
    assert len(texts) == 3
    assert texts == sampled_texts(model, quick_tokenizer, 3, seed=0)
    assert texts != sampled_texts(model, quick_tokenizer, 3, seed=1)
    assert not any(END in text for text in texts)


def test_the_report_is_what_its_parts_say(quick_tokenizer, monkeypatch):
    """Parts of all texts for parts of the stories."""
    stories = [
        d.text for d in held_out_documents(400) if d.kind.startswith("story")
    ]
    cut = [text[: len(text) // 2] for text in stories[:3]]
    texts = [*stories[3:12], *cut]
    monkeypatch.setattr(
        MODULE,
        "sampled_texts",
        lambda model, tokenizer, n, seed, temperature: (
            texts if temperature == 1 else stories[:4]
        ),
    )
    monkeypatch.setattr(
        MODULE, "right_answers", lambda model, tokenizer, n: {"x": n}
    )
    found = MODULE.world_report(Uniform(2000), quick_tokenizer, n=5)
    wanted = floors(Uniform(2000), quick_tokenizer, held_out_documents(20))
    assert found["excess"] == {k: f.above for k, f in wanted.items()}
    assert found["floor"]["all"] == pytest.approx(wanted["all"].least / 20)
    judged = found["stories"]
    assert judged["1.0"] == pytest.approx(
        {"n": 12, "well_formed": 0.75, "true": 0.75}
    )
    assert judged["0.4"] == {"n": 4, "well_formed": 1, "true": 1}
    assert found["answers"] == {"x": 5}
