"""How near a model of TinyWorld is to its floor, and what it can do."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from scratchlm.recipes.world_text import (
    END,
    N_TOKENS,
    WORLD,
    world_tokenizer,
)
from scratchlm.text.tinyworld.narrator import Document
from scratchlm.text.tinyworld.world import TinyWorld
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.training.objective.scoring import document_nats
from scratchlm.training.pretraining.sampling import sample_documents

HELD_OUT, ASKED = 7_000_000, 8_000_000  # seeds of documents
TEMPERATURES = (1.0, 0.7, 0.4)


class Floor(NamedTuple):
    """A model's loss beside the least that is possible.

    Args:
        nats: of the documents under the model.
        least: of the same documents under the world itself.
        n: how many documents.
    """

    nats: float
    least: float
    n: int

    @property
    def above(self) -> float:
        """The excess, as a part of the floor."""
        return self.nats / self.least - 1


@cache
def held_out_documents(n: int) -> tuple[Document, ...]:
    """Return documents drawn apart from those that are trained on.

    Args:
        n: how many.
    """
    return tuple(TinyWorld(WORLD).documents(HELD_OUT, n))


def floors(
    model: nn.Module,
    tokenizer: SubwordTokenizer,
    documents: Sequence[Document],
) -> dict[str, Floor]:
    """Return what held-out documents cost, kind by kind, and must cost.

    Args:
        model: a transformer of TinyWorld.
        tokenizer: the one that it was trained with.
        documents: drawn from the world.

    Returns:
        For each kind of document, and for ``all``.
    """
    nats = document_nats(
        model,
        tokenizer.encode_batch([d.text for d in documents], workers=1),
        end_id=tokenizer.special_tokens[END],
        most_tokens=N_TOKENS,
    )
    kinds: dict[str, list[int]] = defaultdict(list)
    for number, document in enumerate(documents):
        kinds[document.kind].append(number)
        kinds["all"].append(number)
    least = -np.array([document.log_prob for document in documents])
    return {
        kind: Floor(
            float(nats[some].sum()), float(least[some].sum()), len(some)
        )
        for kind, some in sorted(kinds.items())
    }


def excess(model: nn.Module, *, vocab_size: int, n: int) -> float:
    """Return the held-out loss above the floor, as a part of the floor.

    Args:
        model: a transformer of TinyWorld.
        vocab_size: of its tokenizer.
        n: documents to ask about.
    """
    tokenizer = world_tokenizer(vocab_size)
    return floors(model, tokenizer, held_out_documents(n))["all"].above


def sampled_texts(
    model: Any,
    tokenizer: SubwordTokenizer,
    n: int,
    seed: int,
    temperature: float = 1.0,
) -> list[str]:
    """Return documents that a model writes.

    Args:
        model: a transformer of TinyWorld.
        tokenizer: the one that it was trained with.
        n: how many.
        seed: of the draws.
        temperature: of the draws; one draws what the model believes.
    """
    drawn = sample_documents(
        model,
        n,
        end_id=tokenizer.special_tokens[END],
        most_tokens=N_TOKENS,
        seed=seed,
        temperature=temperature,
    )
    return [tokenizer.decode(ids) for ids in drawn]


def story_verdicts(texts: Sequence[str]) -> Counter[str]:
    """Count what is wrong with those texts that are stories.

    A text is a story if the world reads furthest into it as one. The first
    fault is named: ``false`` and ``impossible`` are faults of content, in
    text that is well-formed up to there.

    Args:
        texts: that a model wrote.

    Returns:
        How many there are of each kind of
        :class:`scratchlm.text.tinyworld.reading.Verdict`.
    """
    narrator = TinyWorld(WORLD).narrator
    read = (narrator.read(text) for text in texts)
    return Counter(
        verdict.kind
        for reader, verdict in read
        if reader.kind.startswith("story")
    )


@torch.no_grad()
def right_answers(
    model: Any, tokenizer: SubwordTokenizer, n: int
) -> dict[str, float]:
    """Return the part of questions that a model answers right.

    It answers with the likeliest token each time. That this gives the right
    answer is the same as that each token of the right answer is the
    likeliest behind the right ones before it.

    Args:
        model: a transformer of TinyWorld.
        tokenizer: the one that it was trained with.
        n: questions to ask.

    Returns:
        For each kind of question.
    """
    world, draws = TinyWorld(WORLD), random.Random(ASKED)
    end = tokenizer.special_tokens[END]
    right: dict[str, list[bool]] = defaultdict(list)
    for _ in range(n):
        question = world.question(draws)
        assert question.prompt is not None
        prompt = tokenizer.encode(question.prompt)
        ids = [end, *tokenizer.encode(question.text), end]
        given = model(torch.tensor([ids[:-1]]))[0].argmax(-1).tolist()
        asked = len(prompt)
        right[question.kind].append(given[asked:] == ids[asked + 1 :])
    return {kind: float(np.mean(some)) for kind, some in right.items()}


def world_report(
    model: Any, tokenizer: SubwordTokenizer, *, n: int = 500
) -> dict[str, Any]:
    """Return what a base model of TinyWorld can do.

    Args:
        model: trained.
        tokenizer: the one that it was trained with.
        n: documents to sample, and questions to ask; four times as many are
            held out.

    Returns:
        ``excess`` over the floor by kind, and the ``floor`` itself, in nats
        a document; of sampled ``stories``, by
        temperature, how many there are and the parts that are
        ``well_formed`` and also ``true``; and of each kind of question the
        part of right ``answers``.
    """
    found = floors(model, tokenizer, held_out_documents(4 * n))
    return {
        "excess": {kind: floor.above for kind, floor in found.items()},
        "floor": {kind: each.least / each.n for kind, each in found.items()},
        "stories": {
            str(temperature): _judged(
                sampled_texts(model, tokenizer, n, 0, temperature)
            )
            for temperature in TEMPERATURES
        },
        "answers": right_answers(model, tokenizer, n),
    }


def _judged(texts: Sequence[str]) -> dict[str, int | float]:
    verdicts = story_verdicts(texts)
    bad = verdicts["ungrammatical"] + verdicts["incomplete"]
    n = verdicts.total()
    return {
        "n": n,
        "well_formed": 1 - bad / max(1, n),
        "true": verdicts["ok"] / max(1, n),
    }
