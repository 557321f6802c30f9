"""What a task is: how a document becomes text, and what is right.

::

    description   examples                         document
    ┌───────────┐ ┌──────────────────────────────┐ ┌────────┐ ┌────────┐
     The follow… Question: … Answer: 4 ⏎⏎ Quest… Question: …  choice 0
                 └ prompt  ┘ └ solution ┘          └ prompt ┘  choice 1
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from scratchlm.evaluation.multiple_choice.documents import Document, Source

Sampling: TypeAlias = Literal["first", "once", "each"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a model is asked about one document.

    Args:
        contexts: one before all continuations, or one for each.
        continuations: which are scored behind them; one behind all
            contexts, or several.
        answer: which is right, by its place.
        lengths: of the choices, in characters, without what joins them to
            their contexts.
        cut_shared: count the first tokens of the continuations, as far as
            they agree, to the context. It changes scores for each token
            alone.
    """

    contexts: tuple[str, ...]
    continuations: tuple[str, ...]
    answer: int
    lengths: tuple[int, ...]
    cut_shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Likelihoods:
    """What a model answered about one document, for each of its pairs.

    Args:
        log_prob: of each continuation, in nats.
        n_tokens: of each.
        greedy: whether the model would have written it by itself.
        alone: the log-probabilities of the continuations behind the start
            of a text; None if they were not asked for.
        n_dropped: tokens at the left that the model could not read.
    """

    log_prob: Float[np.ndarray, " n"]
    n_tokens: Int[np.ndarray, " n"]
    greedy: Bool[np.ndarray, " n"]
    alone: Float[np.ndarray, " n"] | None = None
    n_dropped: int = 0


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """Questions of one form, and how they are put to a model.

    Args:
        name: of the task.
        columns: that a document must have, the first of them a text.
        prompt: the text of a document, up to what is scored or written.
        source: where the documents are; None if a file must be given.
        examples_source: where the worked examples are; None if they are
            other documents of the task.
        n_examples: how many stand before each document.
        sampling: ``first`` takes those that stand first, ``once`` draws
            some for the whole task, and ``each`` draws some for each
            document.
        group: examples are of the document's own group, as the subject of
            a question; of any if None.
        cluster: what a document shares with others that are not independent
            of it, as the passage that it asks about; nothing if None.
        description: what stands before the examples.
        delimiter: between a prompt and what follows it. White space at its
            end belongs to what follows, and the rest to the prompt.
        separator: between two examples.
        metric: the score that is reported.
        chance: what guessing scores; None if that depends on the documents.
        seed: of the examples that are drawn.
    """

    name: str
    columns: tuple[str, ...]
    prompt: Callable[[Document], str]
    source: Source | None = None
    examples_source: Source | None = None
    n_examples: int = 0
    sampling: Sampling = "first"
    group: Callable[[Document], str] | None = None
    cluster: Callable[[Document], Hashable] | None = None
    description: Callable[[Document], str] | None = None
    delimiter: str = " "
    separator: str = "\n\n"
    metric: str = "acc"
    chance: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_examples < 0:
            raise ValueError(
                f"n_examples is {self.n_examples}; give 0 or more"
            )
        if self.chance is not None and not 0 <= self.chance < 1:
            raise ValueError(
                f"chance is {self.chance}; give a part below 1, as 0.25"
            )

    @property
    def joints(self) -> tuple[str, str]:
        """What ends the prompt, and what begins the text behind it."""
        text = self.delimiter.rstrip()
        return text, self.delimiter[len(text) :]

    @abstractmethod
    def solution(self, document: Document) -> str:
        """Return what an example shows behind its prompt.

        Args:
            document: the example.
        """


@dataclass(frozen=True, kw_only=True)
class LikelihoodTask(Task):
    """A task whose answers are there, and are scored by their likelihood."""

    @abstractmethod
    def asked(self, document: Document, before: str) -> Asked:
        """Return what a model is asked.

        Args:
            document: the question.
            before: its description and examples.
        """

    def chance_of(self, asked: Sequence[Asked]) -> float:
        """Return what guessing scores on some documents.

        Args:
            asked: what the model is asked about each.
        """
        if self.chance is not None:
            return self.chance
        sizes = [len(e.contexts) * len(e.continuations) for e in asked]
        return sum(1 / n for n in sizes) / len(sizes)

    def grades(self, asked: Asked, found: Likelihoods) -> dict[str, float]:
        """Return each score of one document.

        Args:
            asked: what the model was asked.
            found: what it answered.

        Returns:
            By its metric: ``acc``, whether the right choice is the
            likeliest; ``acc_norm``, the same for each character of a
            choice; ``acc_tokens``, for each token; and
            ``acc_mutual_info``, against its likelihood without a question.
        """
        scores = {
            "acc": found.log_prob,
            "acc_norm": found.log_prob / np.array(asked.lengths),
            "acc_tokens": found.log_prob / found.n_tokens,
        }
        if found.alone is not None:
            scores["acc_mutual_info"] = found.log_prob - found.alone
        return {
            metric: float(np.argmax(each) == asked.answer)
            for metric, each in scores.items()
        }


@dataclass(frozen=True, kw_only=True)
class SchemaTask(LikelihoodTask):
    """Several contexts, and one text that fits best behind one of them.

    The prompt of a document is its right context.

    Args:
        contexts: the texts before.
        continuation: the text behind.
        answer: which context is right.

    Source: Trinh and Le 2018, "A Simple Method for Commonsense Reasoning",
    for scoring what all contexts share.
    """

    contexts: Callable[[Document], Sequence[str]]
    continuation: Callable[[Document], str]
    answer: Callable[[Document], int]

    def solution(self, document: Document) -> str:
        """Return the continuation. Args: see the base class."""
        return self.continuation(document)

    def asked(self, document: Document, before: str) -> Asked:
        """Return the contexts. Args: see the base class."""
        contexts = list(self.contexts(document))
        continuation = self.continuation(document)
        answer = _right(self, document, contexts, self.answer(document))
        end, start = self.joints
        return Asked(
            contexts=tuple(before + each + end for each in contexts),
            continuations=(start + continuation,),
            answer=answer,
            lengths=(len(continuation),) * len(contexts),
        )


@dataclass(frozen=True, kw_only=True)
class ContinuationTask(LikelihoodTask):
    """One text that must be the likeliest of all, token by token.

    Args:
        target: the text.
    """

    target: Callable[[Document], str]
    chance: float | None = 0.0

    def solution(self, document: Document) -> str:
        """Return the target. Args: see the base class."""
        return self.target(document)

    def asked(self, document: Document, before: str) -> Asked:
        """Return the target alone. Args: see the base class."""
        target = self.target(document)
        end, start = self.joints
        return Asked(
            contexts=(before + self.prompt(document) + end,),
            continuations=(start + target,),
            answer=0,
            lengths=(len(target),),
        )

    def grades(self, asked: Asked, found: Likelihoods) -> dict[str, float]:
        """Return whether the target is written, and its nats.

        Args:
            asked: what the model was asked.
            found: what it answered.
        """
        return {
            "acc": float(found.greedy[0]),
            "nats": -float(found.log_prob[0]),
        }


@dataclass(frozen=True, kw_only=True)
class ChoiceTask(LikelihoodTask):
    """One prompt, and several texts that may follow it.

    Args:
        choices: the texts.
        answer: which of them is right.
        cut_shared: see :class:`Asked`.
    """

    choices: Callable[[Document], Sequence[str]]
    answer: Callable[[Document], int]
    cut_shared: bool = False

    def solution(self, document: Document) -> str:
        """Return the right choice. Args: see the base class."""
        choices = list(self.choices(document))
        return choices[_right(self, document, choices, self.answer(document))]

    def asked(self, document: Document, before: str) -> Asked:
        """Return the choices. Args: see the base class."""
        choices = list(self.choices(document))
        answer = _right(self, document, choices, self.answer(document))
        end, start = self.joints
        return Asked(
            contexts=(before + self.prompt(document) + end,),
            continuations=tuple(start + each for each in choices),
            answer=answer,
            lengths=tuple(map(len, choices)),
            cut_shared=self.cut_shared,
        )


def _right(
    task: Task, document: Document, choices: Sequence[str], answer: int
) -> int:
    """Return the place of the right choice, if there is one.

    Raises:
        ValueError: there are fewer than two choices, one is empty, or none
            is right.
    """
    fault = None
    if len(choices) < 2:
        fault = f"{len(choices)} choices; give two or more"
    elif not all(choices):
        fault = f"an empty choice, number {choices.index('')}; fill it"
    elif not 0 <= answer < len(choices):
        fault = f"the answer {answer} for {len(choices)} choices; count from 0"
    if fault:
        raise ValueError(
            f"{task.name}: the question {task.prompt(document)[-60:]!r} has "
            f"{fault}"
        )
    return answer


def text_hash(texts: Iterable[str]) -> str:
    """Return the sha256 of texts in their order.

    Two runs whose prompts have one hash were asked the same.

    Args:
        texts: prompts, with what is scored behind them.
    """
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
