"""Public tests in the form in which the field asks them.

Prompts are those of lm-evaluation-harness 0.4, whose scores are the ones that
are published. Each data set is pinned to a commit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from string import ascii_uppercase

from scratchlm.evaluation.multiple_choice.documents import Document
from scratchlm.evaluation.multiple_choice.tasks import (
    ChoiceTask,
    ContinuationTask,
    LikelihoodTask,
)
from scratchlm.foundation.arguments import one_of
from scratchlm.text.corpora.public_data import HubDataset

FORMS = ("letter", "listed", "text")

_MMLU = HubDataset(
    name="mmlu",
    repository="cais/mmlu",
    revision="c30699e8356da336a370243923dbaf21066bb9fe",
    subset="all",
    split="test",
    column="question",
)
_ARC = HubDataset(
    name="arc_easy",
    repository="allenai/ai2_arc",
    revision="210d026faf9955653af8916fad021475a3f00453",
    subset="ARC-Easy",
    split="test",
    column="question",
)
_HELLASWAG = HubDataset(
    name="hellaswag",
    repository="Rowan/hellaswag",
    revision="218ec52e09a7e7462a5400043bb9a69a41d06b76",
    split="validation",
    column="ctx_a",
)
_LAMBADA = HubDataset(
    name="lambada_openai",
    repository="EleutherAI/lambada_openai",
    revision="900124bf3b8235c6daf21033af9948b3f07346c4",
    subset="default",
    split="test",
)


def in_form(
    form: str,
    question: Callable[[Document], str],
    options: Callable[[Document], list[str]],
) -> tuple[Callable[[Document], str], Callable[[Document], list[str]]]:
    """Return a prompt and choices, for one of three ways to ask.

    Args:
        form: ``letter`` lists the options and scores their letters,
            ``listed`` lists them and scores their texts, and ``text`` lists
            nothing.
        question: of a document.
        options: the texts of its answers.

    Raises:
        ValueError: the form is none of these.
    """
    one_of("form", form, FORMS)

    def listed(document: Document) -> str:
        lines = [
            f"{letter}. {text}"
            for letter, text in zip(
                ascii_uppercase, options(document), strict=False
            )
        ]
        return "\n".join([question(document), *lines, "Answer:"])

    def letters(document: Document) -> list[str]:
        return list(ascii_uppercase[: len(options(document))])

    def alone(document: Document) -> str:
        return f"{question(document)}\nAnswer:"

    prompt = alone if form == "text" else listed
    return prompt, letters if form == "letter" else options


def mmlu(form: str = "letter", *, n_examples: int = 5) -> ChoiceTask:
    """Return the test of Hendrycks et al.: 57 subjects, four answers each.

    Examples are the first ones of the subject's own development set.

    Args:
        form: see :func:`in_form`. Published scores are those of ``letter``.
        n_examples: at most five, of which published scores have all.

    Source: Hendrycks et al. 2021, "Measuring Massive Multitask Language
    Understanding".
    """
    prompt, choices = in_form(
        form, lambda d: d["question"].strip(), lambda d: list(d["choices"])
    )
    return ChoiceTask(
        name="mmlu" if form == "letter" else f"mmlu_{form}",
        columns=("question", "choices", "answer", "subject"),
        prompt=prompt,
        choices=choices,
        answer=lambda d: int(d["answer"]),
        source=_MMLU,
        examples_source=replace(_MMLU, name="mmlu-dev", split="dev"),
        n_examples=n_examples,
        group=lambda d: d["subject"],
        description=lambda d: (
            "The following are multiple choice questions (with answers) "
            f"about {d['subject'].replace('_', ' ')}.\n\n"
        ),
        metric="acc" if form == "letter" else "acc_norm",
        chance=0.25,
    )


def arc(part: str, n_examples: int = 0) -> ChoiceTask:
    """Return a part of ARC: school science, mostly with four answers.

    Args:
        part: ``challenge`` holds those that older methods got wrong.
        n_examples: from the training set.

    Source: Clark et al. 2018, "Think you have Solved Question Answering? Try
    ARC, the AI2 Reasoning Challenge".
    """
    one_of("part", part, ("easy", "challenge"))
    name = f"arc_{part}"
    source = replace(_ARC, name=name, subset=f"ARC-{part.capitalize()}")
    return ChoiceTask(
        name=name,
        columns=("question", "choices", "answerKey"),
        prompt=lambda d: f"Question: {d['question']}\nAnswer:",
        choices=lambda d: list(d["choices"]["text"]),
        answer=lambda d: list(d["choices"]["label"]).index(d["answerKey"]),
        source=source,
        examples_source=replace(source, name=f"{name}-train", split="train"),
        n_examples=n_examples,
        metric="acc_norm",
    )


def hellaswag(n_examples: int = 0) -> ChoiceTask:
    """Return HellaSwag: which of four sentences goes on.

    Args:
        n_examples: from the training set.

    Source: Zellers et al. 2019, "HellaSwag: Can a Machine Really Finish Your
    Sentence?", with the text as lm-evaluation-harness cleans it.
    """
    train = replace(_HELLASWAG, name="hellaswag-train", split="train")
    return ChoiceTask(
        name="hellaswag",
        columns=("ctx_a", "ctx_b", "activity_label", "endings", "label"),
        prompt=lambda d: clean_wikihow(
            f"{d['activity_label']}: {d['ctx_a']} {d['ctx_b'].capitalize()}"
        ),
        choices=lambda d: [clean_wikihow(text) for text in d["endings"]],
        answer=lambda d: int(d["label"]),
        source=_HELLASWAG,
        examples_source=train,
        n_examples=n_examples,
        metric="acc_norm",
        chance=0.25,
    )


def clean_wikihow(text: str) -> str:
    """Return a text of HellaSwag without the marks of its source.

    Args:
        text: with ``[title]``, ``[step]`` and the like.
    """
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def lambada() -> ContinuationTask:
    """Return LAMBADA: the last word of a passage.

    Source: Paperno et al. 2016, "The LAMBADA Dataset", in the version of
    Radford et al. 2019.
    """
    return ContinuationTask(
        name="lambada_openai",
        columns=("text",),
        prompt=lambda d: d["text"].rpartition(" ")[0],
        target=lambda d: d["text"].rpartition(" ")[2],
        source=_LAMBADA,
    )


def public_tasks() -> Mapping[str, LikelihoodTask]:
    """Return the public tests by their names."""
    tasks = [
        *(mmlu(form) for form in ("letter", "listed", "text")),
        arc("easy"),
        arc("challenge"),
        hellaswag(),
        lambada(),
    ]
    return {task.name: task for task in tasks}
