"""A task, put to a model."""

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
from scratchlm.evaluation.perplexity.joining import Question, join
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
        begin: put ``start_id`` before each prompt. Without it, as in
            lm-evaluation-harness for most models, it stands before
            continuations without a context alone.
        alone: score the choices without a question too, for
            ``acc_mutual_info``.
        max_tokens: how many positions the model reads at once; as many as
            it is made for if None.
        n_rows: continuations that are read at once.
        progress: show a bar on standard error.

    Raises:
        ValueError: there are no documents, one does not fit the task, or the
            model gives no number for it.
    """
    if not documents:
        raise ValueError(
            f"{task.name} is asked on no documents; a score needs some"
        )
    asked = [
        task.asked(document, before)
        for document, before in zip(
            documents, prefixes(task, documents, examples), strict=True
        )
    ]
    questions, names = _questions(tokenizer, task.name, asked, start_id, begin)
    score = partial(
        score_continuations, model, max_tokens=max_tokens, n_rows=n_rows
    )
    bar = task.name if progress else None
    found = score(questions, names=names, progress=bar)
    apart = None
    if alone:
        texts, questions = _alone(tokenizer, asked, start_id)
        names = [f"the continuation {text[:40]!r} alone" for text in texts]
        bare = score(questions, names=names)
        apart = {
            text: float(each.log_prob[0])
            for text, each in zip(texts, bare, strict=True)
        }
    return _gathered(task, documents, asked, found, apart)


def _questions(
    tokenizer: SubwordTokenizer,
    task: str,
    asked: Sequence[Asked],
    start_id: int,
    begin: bool,
) -> tuple[list[Question], list[str]]:
    """Return each context with its continuations, and what to call it."""
    questions, names = [], []
    for number, each in enumerate(asked):
        for which, context in enumerate(each.contexts):
            question = join(tokenizer, context, each.continuations)
            name = f"document {number} of {task}"
            if len(each.contexts) > 1:
                name += f", context {which}"
            if begin or not question.context:
                question = _begun(question, start_id)
            questions.append(question)
            names.append(name)
    return questions, names


def _begun(question: Question, start_id: int) -> Question:
    if question.context[:1] == (start_id,):
        return question
    return Question(
        context=(start_id, *question.context),
        continuations=question.continuations,
    )


def _alone(
    tokenizer: SubwordTokenizer, asked: Sequence[Asked], start_id: int
) -> tuple[list[str], list[Question]]:
    """Return each continuation once, behind nothing but a start."""
    all_texts = chain.from_iterable(each.continuations for each in asked)
    texts = list(dict.fromkeys(all_texts))
    return texts, [
        _begun(join(tokenizer, "", [text]), start_id) for text in texts
    ]


def _gathered(
    task: LikelihoodTask,
    documents: Sequence[Document],
    asked: Sequence[Asked],
    found: Sequence[Scored],
    apart: dict[str, float] | None,
) -> TaskScores:
    """Put the scores of contexts together, document by document."""
    rest, grades, dropped = iter(found), [], []
    for each in asked:
        own = [next(rest) for _ in each.contexts]
        dropped.append(sum(int(some.n_dropped.max()) for some in own))
        texts = each.continuations * len(own)
        likelihoods = Likelihoods(
            log_prob=np.concatenate([some.log_prob for some in own]),
            n_tokens=np.concatenate([some.n_tokens for some in own]),
            greedy=np.concatenate([some.greedy for some in own]),
            alone=(
                None
                if apart is None
                else np.array([apart[text] for text in texts])
            ),
        )
        grades.append(task.grades(each, likelihoods))
    return TaskScores(
        task=task.name,
        metric=task.metric,
        chance=task.chance_of(asked),
        grades={
            name: np.array([each[name] for each in grades])
            for name in grades[0]
        },
        prompts=text_hash(
            chain.from_iterable((*e.contexts, *e.continuations) for e in asked)
        ),
        n_truncated=sum(n > 0 for n in dropped),
        n_dropped=sum(dropped),
        clusters=task.cluster and tuple(map(task.cluster, documents)),
        groups=task.group and tuple(map(task.group, documents)),
    )
