"""A task, put to a model: asked, answered and graded."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import numpy as np
from torch import nn

from scratchlm.evaluation.multiple_choice.documents import Document
from scratchlm.evaluation.multiple_choice.few_shot import prefixes
from scratchlm.evaluation.multiple_choice.scores import TaskScores
from scratchlm.evaluation.multiple_choice.tasks import (
    Asked,
    Likelihoods,
    LikelihoodTask,
    text_hash,
)
from scratchlm.evaluation.perplexity.joining import (
    Question,
    common_prefix,
    join,
)
from scratchlm.evaluation.perplexity.scoring import (
    Scored,
    score_continuations,
)
from scratchlm.text.tokenizer.base import SubwordTokenizer


def score_task(  # noqa: PLR0913
    model: nn.Module,
    tokenizer: SubwordTokenizer,
    task: LikelihoodTask,
    documents: Sequence[Document],
    *,
    start_id: int,
    examples: Sequence[Document] | None = None,
    begin: bool = True,
    alone: bool = True,
    max_tokens: int | None = None,
    n_rows: int = 64,
    progress: bool = True,
) -> TaskScores:
    """Return what a model scores on each document of a task.

    Prompts that are too long lose their beginning, and the result says how
    many do.

    Args:
        model: a causal transformer in eval mode.
        tokenizer: the one that it was trained with.
        task: what is asked.
        documents: the questions.
        start_id: what a text begins behind.
        examples: worked ones, of which the task takes as many as it says;
            the other documents if None.
        begin: see :func:`answered`.
        alone: see :func:`answered`.
        max_tokens: how many positions the model reads at once; as many as
            it is made for if None.
        n_rows: continuations that are read at once.
        progress: show a bar on standard error.

    Raises:
        ValueError: there are no documents, one does not fit the task, or the
            model gives no number for it.
    """
    asked = ask(task, documents, examples)
    found = answered(
        model,
        tokenizer,
        asked,
        start_id=start_id,
        name=task.name,
        begin=begin,
        alone=alone,
        max_tokens=max_tokens,
        n_rows=n_rows,
        progress=progress,
    )
    return graded(task, documents, asked, found)


def ask(
    task: LikelihoodTask,
    documents: Sequence[Document],
    examples: Sequence[Document] | None = None,
) -> list[Asked]:
    """Return the texts that a model is asked about each document.

    Args:
        task: what is asked.
        documents: all questions of the run, since examples may be drawn
            from them.
        examples: see :func:`score_task`.

    Raises:
        ValueError: there are no documents, or one does not fit the task.
    """
    if not documents:
        raise ValueError(
            f"{task.name} is asked on no documents; a score needs some"
        )
    befores = prefixes(task, documents, examples)
    pairs = zip(documents, befores, strict=True)
    return [task.asked(document, before) for document, before in pairs]


def answered(  # noqa: PLR0913
    model: nn.Module,
    tokenizer: SubwordTokenizer,
    asked: Sequence[Asked],
    *,
    start_id: int,
    name: str,
    first: int = 0,
    begin: bool = True,
    alone: bool = True,
    max_tokens: int | None = None,
    n_rows: int = 64,
    progress: bool = True,
) -> list[Likelihoods]:
    """Return what a model answers, for some of a task's documents or all.

    Args:
        model: a causal transformer in eval mode.
        tokenizer: the one that it was trained with.
        asked: the texts.
        start_id: what a text begins behind.
        name: of the task.
        first: the number of the first document in its task.
        begin: put ``start_id`` before each prompt. Without it, as in
            lm-evaluation-harness for most models, it stands before
            continuations without a context alone.
        alone: score the choices without a question too, for
            ``acc_mutual_info``.
        max_tokens: see :func:`score_task`.
        n_rows: see :func:`score_task`.
        progress: see :func:`score_task`.

    Raises:
        ValueError: the model gives no number for a document, which is
            named.
    """
    questions, names = _questions(tokenizer, asked, name, first)
    if begin:
        questions = [_begun(each, start_id) for each in questions]
    else:  # what has nothing before it still needs something
        questions = [
            each if each.context else _begun(each, start_id)
            for each in questions
        ]
    score = partial(
        score_continuations, model, max_tokens=max_tokens, n_rows=n_rows
    )
    found = score(questions, names=names, progress=name if progress else None)
    bare: dict[str, float] = {}
    if alone:
        texts = list(dict.fromkeys(chain(*(e.continuations for e in asked))))
        apart = [_begun(join(tokenizer, "", [t]), start_id) for t in texts]
        names = [f"the continuation {text[:40]!r} alone" for text in texts]
        for text, scored in zip(texts, score(apart, names=names), strict=True):
            bare[text] = float(scored.log_prob[0])
    rest = iter(found)
    return [
        _gathered(each, [next(rest) for _ in each.contexts], bare)
        for each in asked
    ]


def graded(
    task: LikelihoodTask,
    documents: Sequence[Document],
    asked: Sequence[Asked],
    found: Sequence[Likelihoods],
) -> TaskScores:
    """Return the scores of a task, from what a model answered.

    Args:
        task: what was asked.
        documents: the questions.
        asked: the texts of each.
        found: the answers to each.
    """
    grades = [task.grades(*pair) for pair in zip(asked, found, strict=True)]
    dropped = [each.n_dropped for each in found]
    return TaskScores(
        task=task.name,
        metric=task.metric,
        chance=task.chance_of(asked),
        grades={
            metric: np.array([each[metric] for each in grades])
            for metric in grades[0]
        },
        prompts=text_hash(
            chain(*((*e.contexts, *e.continuations) for e in asked))
        ),
        n_truncated=sum(n > 0 for n in dropped),
        n_dropped=sum(dropped),
        clusters=task.cluster and tuple(map(task.cluster, documents)),
        groups=task.group and tuple(map(task.group, documents)),
    )


def _questions(
    tokenizer: SubwordTokenizer, asked: Sequence[Asked], name: str, first: int
) -> tuple[list[Question], list[str]]:
    """Return each context with its continuations, and what to call it."""
    questions, names = [], []
    for number, each in enumerate(asked, first):
        for which, context in enumerate(each.contexts):
            question = join(tokenizer, context, each.continuations)
            if each.cut_shared:
                question = _without_shared(question)
            questions.append(question)
            several = f", context {which}" if len(each.contexts) > 1 else ""
            names.append(f"document {number} of {name}{several}")
    return questions, names


def _begun(question: Question, start_id: int) -> Question:
    if question.context[:1] == (start_id,):
        return question
    return Question(
        context=(start_id, *question.context),
        continuations=question.continuations,
    )


def _without_shared(question: Question) -> Question:
    """Give the context what all continuations begin with, but their ends."""
    first, *others = question.continuations
    n = min(
        *(common_prefix(first, other) for other in others),
        *(len(each) - 1 for each in question.continuations),
    )
    return Question(
        context=question.context + first[:n],
        continuations=tuple(each[n:] for each in question.continuations),
    )


def _gathered(
    asked: Asked, own: Sequence[Scored], bare: dict[str, float]
) -> Likelihoods:
    """Put the scores of a document's contexts together."""
    texts = asked.continuations * len(own)
    return Likelihoods(
        log_prob=np.concatenate([each.log_prob for each in own]),
        n_tokens=np.concatenate([each.n_tokens for each in own]),
        greedy=np.concatenate([each.greedy for each in own]),
        alone=np.array([bare[text] for text in texts]) if bare else None,
        n_dropped=sum(int(each.n_dropped.max()) for each in own),
    )
