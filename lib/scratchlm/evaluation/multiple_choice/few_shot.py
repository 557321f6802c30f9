"""Worked examples before each question."""

from bisect import bisect_left
from collections.abc import Sequence
from random import Random

from scratchlm.evaluation.multiple_choice.documents import (
    Document,
    check_columns,
)
from scratchlm.evaluation.multiple_choice.tasks import Task
from scratchlm.foundation.dice import Dice


def prefixes(
    task: Task,
    documents: Sequence[Document],
    examples: Sequence[Document] | None = None,
) -> list[str]:
    """Return what stands before the prompt of each document.

    Args:
        task: says how many examples there are, and which.
        documents: that are asked.
        examples: to choose from; the other documents if None. No document
            is its own example.

    Raises:
        ValueError: a document lacks a column, or there are too few
            examples.
    """
    for number, each in enumerate(documents):
        place = f"document {number} of {task.name}"
        check_columns(each, task.columns, place)
    pool = documents if examples is None else examples
    for number, each in enumerate(pool if task.n_examples else ()):
        place = f"example {number} of {task.name}"
        check_columns(each, task.columns, place)
    groups = _groups(task, pool)
    drawn = {name: _order(task, some) for name, some in groups.items()}
    found = []
    for number, document in enumerate(documents):
        own = number if examples is None else None
        name = task.group(document) if task.group else ""
        chosen = _chosen(task, drawn.get(name, []), number, own)
        if len(chosen) < task.n_examples:
            of = f" of {name!r}" if name else ""
            raise ValueError(
                f"{task.name} has {len(chosen)} examples{of} for document "
                f"{number}, and n_examples is {task.n_examples}; give more "
                "examples, or lower it"
            )
        about = task.description(document) if task.description else ""
        found.append(about + "".join(_example(task, pool[i]) for i in chosen))
    return found


def _example(task: Task, document: Document) -> str:
    prompt, solution = task.prompt(document), task.solution(document)
    return prompt + task.delimiter + solution + task.separator


def _groups(task: Task, pool: Sequence[Document]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    if task.n_examples:
        for i, each in enumerate(pool):
            name = task.group(each) if task.group else ""
            groups.setdefault(name, []).append(i)
    return groups


def _order(task: Task, some: list[int]) -> list[int]:
    """Return the examples that a group may take, as they are taken."""
    # One more than needed, for a document that is among them.
    if task.sampling == "once":
        return Dice(Random(task.seed)).some(some, task.n_examples + 1)
    return some if task.sampling == "each" else some[: task.n_examples + 1]


def _chosen(
    task: Task, some: Sequence[int], number: int, own: int | None
) -> list[int]:
    """Return the examples of a document, without itself."""
    if task.sampling != "each":
        return [i for i in some if i != own][: task.n_examples]
    at = len(some) if own is None else bisect_left(some, own)
    n = len(some) - (at < len(some))
    # As nanochat draws them, so that prompts of CORE are the same.
    draws = Random(task.seed + number)
    places = draws.sample(range(n), min(n, task.n_examples))
    return [some[i + (i >= at)] for i in places]
