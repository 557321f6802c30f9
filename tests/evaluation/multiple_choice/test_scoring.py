"""Tasks against the slow way, and what happens where it cannot be done."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from scratchlm.evaluation.multiple_choice.scoring import (
    answered,
    ask,
    graded,
    score_task,
)
from scratchlm.evaluation.multiple_choice.tasks import (
    ChoiceTask,
    ContinuationTask,
    SchemaTask,
    text_hash,
)

CHOICES = ["In the fog.", "An animal.", "Red.", "What is a red dog?"]
TASK = ChoiceTask(
    name="foxes",
    columns=("q",),
    prompt=lambda d: f"{d['q']} Answer:",
    choices=lambda d: CHOICES,
    answer=lambda d: d["gold"],
    group=lambda d: d["q"],
)
QUESTIONS = ["Where is the fox?", "What is it?", "Where is a dog?"]


def documents(n=6):
    return [{"q": QUESTIONS[i % 3], "gold": i % 4} for i in range(n)]


def scored(small, task, asked, **options):
    return score_task(
        small.model,
        small.tokenizer,
        task,
        asked,
        start_id=small.start_id,
        progress=False,
        **options,
    )


def test_choices_one_by_one(small, log_prob):
    """Choices of one question that go to another, or lengths in the wrong
    unit."""
    found = scored(small, TASK, documents())
    for i, document in enumerate(documents()):
        due = np.array(
            [log_prob(f"{document['q']} Answer:", f" {c}") for c in CHOICES]
        )
        n = [len(small.tokenizer.encode(f" {c}")) for c in CHOICES]
        alone = [log_prob("", f" {c}") for c in CHOICES]
        for metric, values in {
            "acc": due,
            "acc_norm": due / [len(c) for c in CHOICES],
            "acc_tokens": due / n,
            "acc_mutual_info": due - alone,
        }.items():
            right = values.argmax() == document["gold"]
            assert found.grades[metric][i] == right, metric
    assert found.chance == 0.25
    assert found.n_truncated == found.n_dropped == 0
    assert found.groups == tuple(d["q"] for d in documents())
    assert (
        "acc_mutual_info"
        not in scored(small, TASK, documents(), alone=False).grades
    )


def test_contexts_one_by_one(small, log_prob):
    """A continuation behind the wrong one of its contexts."""
    contexts = ["The red fox", "The dog", "What"]
    task = SchemaTask(
        name="schema",
        columns=("q",),
        prompt=lambda d: contexts[0],
        contexts=lambda d: contexts,
        continuation=lambda d: d["q"],
        answer=lambda d: d["gold"],
    )
    asked = [
        {"q": q, "gold": i} for q in ("is it?", "in fog") for i in (0, 1, 2)
    ]
    found = scored(small, task, asked)
    for i, each in enumerate(asked):
        due = [log_prob(c, f" {each['q']}") for c in contexts]
        assert found.grades["acc"][i] == (np.argmax(due) == each["gold"])
    assert found.grades["acc"].sum() == 2


def test_a_word_that_the_model_writes(small, log_prob):
    """A greedy answer that is compared with the wrong tokens."""
    task = ContinuationTask(
        name="word",
        columns=("q",),
        prompt=lambda d: "The",
        target=lambda d: d["q"],
    )
    asked = [{"q": "fox"}, {"q": "dog is"}]
    found = scored(small, task, asked)
    due = [-log_prob("The", f" {each['q']}") for each in asked]
    assert found.grades["nats"] == pytest.approx(due, abs=1e-4)
    with pytest.raises(ValueError, match="asked on no documents"):
        scored(small, task, [])


def test_batches_change_nothing(small):
    """Scores that depend on what is read beside them."""
    task = replace(TASK, n_examples=1, sampling="once")
    one = scored(small, task, documents(9), n_rows=1)
    many = scored(small, task, documents(9))
    assert one.prompts == many.prompts
    for metric, each in one.grades.items():
        assert (each == many.grades[metric]).all()


def test_a_task_in_parts(small):
    """A run that was killed and went on scores something else."""
    task = replace(TASK, n_examples=1, sampling="each", group=None)
    asked = ask(task, documents(7))
    found = []
    for first in (0, 3, 6):
        found += answered(
            small.model,
            small.tokenizer,
            asked[first : first + 3],
            start_id=small.start_id,
            name="foxes",
            first=first,
            progress=False,
        )
    whole, parts = (
        scored(small, task, documents(7)),
        graded(task, documents(7), asked, found),
    )
    assert whole.prompts == parts.prompts
    for metric, each in whole.grades.items():
        assert (each == parts.grades[metric]).all()


def test_the_hash_covers_what_is_read(small):
    """Prompts changed, and the hash did not."""
    found = scored(small, TASK, documents(1))
    texts = [f"{QUESTIONS[0]} Answer:", *(f" {c}" for c in CHOICES)]
    assert found.prompts == text_hash(texts)
    shown = replace(TASK, n_examples=1, group=None)
    assert scored(small, shown, documents(4)).prompts != (
        scored(small, replace(shown, sampling="once"), documents(4)).prompts
    )


def test_a_long_prompt_is_cut_at_the_left_and_counted(small):
    """Examples that the model never saw, and a score that does not say so."""
    task = replace(TASK, n_examples=5, group=None)
    found = scored(small, task, documents())
    assert found.n_truncated == 6
    assert found.n_dropped > 6
    few = scored(small, TASK, documents(), max_tokens=12)
    assert 0 < few.n_dropped < found.n_dropped


def test_a_start_token_only_where_there_is_no_context(small, log_prob):
    """lm-evaluation-harness puts it before empty contexts alone."""
    task = replace(TASK, prompt=lambda d: d["q"], delimiter="")
    asked = [{"q": "", "gold": i} for i in range(4)]
    found = scored(small, task, asked, begin=False)
    due = np.argmax([log_prob("", c) for c in CHOICES])
    assert found.grades["acc"].argmax() == due
    plain = scored(small, TASK, documents(3), begin=False)
    assert plain.prompts == scored(small, TASK, documents(3)).prompts


def test_a_nan_is_named_by_its_document(small):
    """A model that is broken scores chance, and nobody finds out why."""
    broken, (token,) = deepcopy(small.model), small.tokenizer.encode("Z")
    with torch.no_grad():
        broken.embedding.tokens.weight[token] = torch.nan
    asked = documents()
    asked[2] = {"q": "Z?", "gold": 0}
    with pytest.raises(ValueError, match="document 2 of foxes, contin"):
        score_task(
            broken,
            small.tokenizer,
            TASK,
            asked,
            start_id=small.start_id,
            progress=False,
            alone=False,
        )


def test_progress(small, capsys):
    """An hour without a sign."""
    score_task(
        small.model,
        small.tokenizer,
        TASK,
        documents(),
        start_id=small.start_id,
    )
    assert "foxes" in capsys.readouterr().err
