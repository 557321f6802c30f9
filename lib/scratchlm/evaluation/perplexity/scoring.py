"""How likely a model holds what may follow a context.

::

    shared by many questions   each question        each continuation
    ┌──────────────────────┐ ┌──────────────────┐ ┌─────────────────┐
     examples ……             Question: … Answer:    In Fernhill.
    └──── read once ───────┘ └── read once ─────┘ └── read ─────────┘
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from scratchlm.evaluation.perplexity.joining import Question, common_prefix
from scratchlm.evaluation.perplexity.perplexity import (
    check_numbers,
    context_of,
)
from scratchlm.evaluation.perplexity.rows import (
    Row,
    TokenScores,
    device_of,
    padded,
    scored,
)
from scratchlm.inference.cache.kv_cache import KVCache, cache_for

# Tokens that questions must share for it to be worth a reading of their own,
# and by which the shared part of rows that are read together may differ.
# Both are guessed; a reading of so few positions costs as much as of one.
_WORTH = 16


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a model thinks of the continuations of one question.

    Args:
        log_prob: of each, in nats, given the context; summed over tokens.
        n_tokens: of each.
        greedy: whether each of its tokens is the likeliest one.
        n_dropped: tokens at the left of context and continuation that the
            model could not read.
    """

    log_prob: Float[np.ndarray, " n"]
    n_tokens: Int[np.ndarray, " n"]
    greedy: Bool[np.ndarray, " n"]
    n_dropped: Int[np.ndarray, " n"]


@dataclass
class _Family:
    """The rows of one question, and the first tokens that they share.

    Args:
        number: of the question.
        rows: one for each continuation.
        read: those rows that must be read. Continuations that differ in
            their last token alone share one, as the letters of answers do.
        places: which of ``read`` each row is read in.
        shared: what all begin with, and nothing of what is scored.
    """

    number: int
    rows: list[Row] = field(default_factory=list)
    read: list[Row] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    shared: tuple[int, ...] = ()


def score_continuations(  # noqa: PLR0913
    model: nn.Module,
    questions: Sequence[Question],
    *,
    start_id: int | None = None,
    max_tokens: int | None = None,
    n_rows: int = 64,
    names: Sequence[str] | None = None,
    progress: str | None = None,
) -> list[Scored]:
    """Return how likely each continuation of each question is.

    What questions share, as examples that stand before each, is read once,
    and what the continuations of a question share is read once. Contexts
    that are too long lose their beginning.

    Args:
        model: a causal transformer in eval mode.
        questions: in any order.
        start_id: what a text begins behind; a context that begins with it
            gets no second one. Nothing is put before if None.
        max_tokens: how many positions the model reads at once; as many as
            it is made for if None.
        n_rows: continuations that are read at once.
        names: what errors call each question; by its number if None.
        progress: what a bar on standard error is called; none if None.

    Raises:
        ValueError: there is nothing before a continuation, a continuation
            alone is longer than the model reads, ``n_rows`` is below 1, or
            the model gives no number for some token.
    """
    if n_rows < 1:
        raise ValueError(f"n_rows is {n_rows}; give 1 or more")
    most = context_of(model, max_tokens)
    if names is None:
        names = [f"question {number}" for number in range(len(questions))]
    families = [
        _family(number, name, question, start_id, most)
        for number, (name, question) in enumerate(
            zip(names, questions, strict=True)
        )
    ]
    results: list[list[TokenScores]] = [[] for _ in questions]
    with tqdm(
        total=len(questions), desc=progress, disable=progress is None
    ) as bar:
        for n_shared, some in _groups(families):
            stem = _read_stem(model, some[0].shared[:n_shared])
            for batch in _batches(some, n_rows):
                found = _read_batch(model, batch, stem, n_shared)
                for family, scores in zip(batch, found, strict=True):
                    results[family.number] = scores
                bar.update(len(batch))
    return [
        _result(name, question, scores, start_id, most)
        for name, question, scores in zip(
            names, questions, results, strict=True
        )
    ]


def _before(question: Question, start_id: int | None) -> tuple[int, ...]:
    """Return the context, behind one start token."""
    context = question.context
    if start_id is None or context[:1] == (start_id,):
        return context
    return (start_id, *context)


def _family(
    number: int,
    name: str,
    question: Question,
    start_id: int | None,
    most: int,
) -> _Family:
    context = _before(question, start_id)
    if not context:
        raise ValueError(
            f"{name} has nothing before its continuations; give "
            "start_id, the token that texts begin behind"
        )
    family, known = _Family(number), dict[tuple[int, ...], int]()
    for which, each in enumerate(question.continuations):
        if len(each) > most:
            raise ValueError(
                f"continuation {which} of {name} has {len(each)} "
                f"tokens, and the model reads {most}; shorten it"
            )
        # The last token is not read, so one more than the context fits.
        ids = (context + each)[-most - 1 :]
        row = Row(ids, len(ids) - len(each))
        family.rows.append(row)
        if ids[:-1] not in known:
            known[ids[:-1]] = len(family.read)
            family.read.append(row)
        family.places.append(known[ids[:-1]])
    row = family.rows[0]
    first, *others = family.rows
    n = min(row.first - 1 for row in family.rows)
    for other in others:
        n = min(n, common_prefix(first.ids, other.ids))
    family.shared = tuple(first.ids[:n])
    return family


def _groups(
    families: Sequence[_Family],
) -> Iterator[tuple[int, list[_Family]]]:
    """Yield questions that share a beginning, with its length.

    In alphabetical order those that share most are neighbours. A question
    joins the group before it unless that loses more positions, for which
    the group would share less, than it saves.
    """
    alone: list[_Family] = []
    group: list[_Family] = []
    n = 0
    for family in sorted(families, key=lambda each: each.shared):
        shared = common_prefix(family.shared, group[0].shared) if group else 0
        now = min(n, shared)
        if group and len(group) * now < (len(group) - 1) * n:
            yield from _kept(group, n, alone)
            group = []
        n = now if group else len(family.shared)
        group.append(family)
    yield from _kept(group, n, alone)
    if alone:
        yield 0, alone


def _kept(
    group: list[_Family], n: int, alone: list[_Family]
) -> Iterator[tuple[int, list[_Family]]]:
    """Yield a group if what it shares is worth it; else disband it."""
    if (len(group) - 1) * n >= _WORTH and n >= _WORTH:
        yield n, group
    else:
        alone.extend(group)


def _batches(
    families: Sequence[_Family], n_rows: int
) -> Iterator[list[_Family]]:
    """Yield questions whose rows are read at once."""
    batch: list[_Family] = []
    held = 0
    for family in sorted(
        families,
        key=lambda each: (
            len(each.shared),
            max(len(r.ids) for r in each.rows),
        ),
    ):
        many = held + len(family.rows) > n_rows
        if batch and (
            many or len(family.shared) > len(batch[0].shared) + _WORTH
        ):
            yield batch
            batch, held = [], 0
        batch.append(family)
        held += len(family.rows)
    if batch:
        yield batch


@torch.no_grad()
def _read_stem(model: Any, ids: Sequence[int]) -> KVCache:
    """Return a cache of one row, with what a group shares."""
    cache = cache_for(model)
    if ids:
        model.hidden(_tensor([ids], model), cache=cache)
    return cache


@torch.no_grad()
def _read_batch(
    model: Any, batch: Sequence[_Family], stem: KVCache, n_stem: int
) -> list[list[TokenScores]]:
    """Return the scores of each continuation of some questions."""
    cache = deepcopy(stem)
    # What all of these share with their own rows; the rest of a longer one
    # is read again for each of its rows.
    n = len(batch[0].shared)
    if n_stem:
        cache.keep(_tensor([0] * len(batch), model))
    if n > n_stem:
        new = [family.shared[n_stem:n] for family in batch]
        model.hidden(_tensor(new, model), cache=cache)
    if n:
        owners = [i for i, family in enumerate(batch) for _ in family.read]
        cache.keep(_tensor(owners, model))
    read = [row for family in batch for row in family.read]
    tokens = padded(read, device_of(model), skip=n)
    hidden = model.hidden(tokens, cache=cache if n else None)
    starts = np.cumsum([0, *(len(family.read) for family in batch)])
    rows = [row for family in batch for row in family.rows]
    places = [
        int(start) + place
        for start, family in zip(starts, batch, strict=False)
        for place in family.places
    ]
    found = iter(scored(model, hidden, rows, places=places, skip=n))
    return [[next(found) for _ in family.rows] for family in batch]


def _result(
    name: str,
    question: Question,
    scores: Sequence[TokenScores],
    start_id: int | None,
    most: int,
) -> Scored:
    for which, each in enumerate(scores):
        check_numbers(each.nats, f"{name}, continuation {which}")
    n = np.array([len(each) for each in question.continuations])
    before = len(_before(question, start_id))
    return Scored(
        log_prob=-np.array([each.nats.sum() for each in scores]),
        n_tokens=n,
        greedy=np.array([each.greedy.all() for each in scores]),
        n_dropped=np.maximum(0, before + n - 1 - most),
    )


def _tensor(rows: Any, model: nn.Module) -> Tensor:
    return torch.tensor(rows, device=device_of(model))
