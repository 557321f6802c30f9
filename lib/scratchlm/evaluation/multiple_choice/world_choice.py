"""Questions of TinyWorld with four answers to choose from."""

import re
from collections.abc import Sequence
from functools import cache, partial
from itertools import product
from random import Random
from typing import NamedTuple

from scratchlm.evaluation.multiple_choice.documents import Document, Drawn
from scratchlm.evaluation.multiple_choice.public_tasks import in_form
from scratchlm.evaluation.multiple_choice.tasks import ChoiceTask
from scratchlm.foundation.dice import Dice
from scratchlm.text.tinyworld.grammar import Entity
from scratchlm.text.tinyworld.world import TinyWorld

KINDS = ("facts_question", "story_question")
N_CHOICES = 4
_WORLD, _SEED = 0, 11_000_000  # another seed than any text's
_PREFIXES = ("In ", "To ", "At ", "")  # the last wins: "At home" is a word


class _Answer(NamedTuple):
    """An answer, as words before an entity.

    Args:
        prefix: as ``In ``.
        entity: what the answer is.
        case: which of its words stands there.
    """

    prefix: str
    entity: Entity
    case: str


def world_questions(n: int, seed: int = _SEED) -> list[Document]:
    """Draw questions of TinyWorld, each with four answers.

    Questions are drawn as the world asks them, about its facts and about
    stories. Wrong answers are of the right one's kind: first those that the
    story names, and then others, of whom people have the same pronoun.
    Questions that ask why are left out, since their answers have no kind.

    Args:
        n: how many.
        seed: decides which.

    Returns:
        Documents with ``question``, ``choices``, ``answer`` and ``kind``.

    Raises:
        ValueError: ``n`` is below 1, or the seed is negative.
    """
    if n < 1 or seed < 0:
        raise ValueError(f"n is {n} and seed {seed}; give 1 or more, and 0 up")
    world, draws = TinyWorld(_WORLD), Random(seed)
    dice = Dice(draws)
    found: list[Document] = []
    while len(found) < n:
        drawn = world.sample(draws, KINDS)
        assert drawn.prompt is not None
        assert drawn.answer is not None
        answer = _answers(world).get(drawn.answer)
        if answer is None:
            continue
        wrong = _wrong(world, drawn.prompt, answer, dice)
        choices = dice.shuffled([drawn.answer, *wrong])
        found.append(
            {
                "question": drawn.prompt.removesuffix("\nAnswer:"),
                "choices": [f"{choice}." for choice in choices],
                "answer": choices.index(drawn.answer),
                "kind": drawn.kind,
            }
        )
    return found


@cache
def _drawn(n: int) -> tuple[Document, ...]:
    return tuple(world_questions(n))


def tinyworld_choice(form: str = "text", *, n: int = 1000) -> ChoiceTask:
    """Return questions of TinyWorld with four answers each.

    Args:
        form: see
            :func:`~scratchlm.evaluation.multiple_choice.public_tasks.in_form`.
            The world itself lists no answers before its questions.
        n: how many; fewer are the first of them.
    """
    prompt, choices = in_form(
        form, lambda d: d["question"], lambda d: list(d["choices"])
    )
    return ChoiceTask(
        name="tinyworld_choice" + ("" if form == "text" else f"_{form}"),
        columns=("question", "choices", "answer", "kind"),
        prompt=prompt,
        choices=choices,
        answer=lambda d: int(d["answer"]),
        source=Drawn(
            name="tinyworld_choice", revision="1", draw=partial(_drawn, n)
        ),
        group=lambda d: d["kind"],
        chance=1 / N_CHOICES,
    )


@cache
def _answers(world: TinyWorld) -> dict[str, _Answer]:
    """Return which entity each answer names, and how."""
    return {
        prefix + word: _Answer(prefix, entity, case)
        for kind, options in world.narrator.universes.items()
        if kind != "number"
        for prefix, entity in product(_PREFIXES, options.values)
        for case, word in entity.words.items()
    }


def _wrong(
    world: TinyWorld, prompt: str, answer: _Answer, dice: Dice
) -> list[str]:
    """Return wrong answers of the same kind, those in the story first."""
    prefix, right, case = answer
    story, _, question = prompt.rpartition("Question:")
    others = [
        each
        for each in world.narrator.universes[right.kind].values
        if each is not right and not _named(each, question)
    ]
    near = [each for each in others if _named(each, story)]
    alike = _alike(right, [each for each in others if each not in near])
    chosen = dice.some(near, N_CHOICES - 1)
    chosen += dice.some(alike, N_CHOICES - 1 - len(chosen))
    return [prefix + each.words[case] for each in chosen]


def _named(entity: Entity, text: str) -> bool:
    return re.search(rf"\b{entity.name}\b", text) is not None


def _alike(right: Entity, others: Sequence[Entity]) -> list[Entity]:
    pronoun = right.words.get("he")
    return [each for each in others if each.words.get("he") == pronoun]
