"""CORE's kinds of tests against a program that reads one text at a time."""

import json
from math import sqrt
from random import Random

import numpy as np
import pytest
import torch

from scratchlm.evaluation.multiple_choice.core import (
    core_score,
    core_task,
    read_core,
)
from scratchlm.evaluation.multiple_choice.scores import TaskScores
from scratchlm.evaluation.multiple_choice.scoring import score_task

WORDS = ["fox", "dog", "fog", "animal", "red"]


def some(seed, n=4):
    return " ".join(Random(seed).choices(WORDS, k=n))


def choice(i):
    choices = [
        f"the {WORDS[(i + k) % 5]} {some(10 * i + k, 1 + k)}" for k in range(3)
    ]
    return {"query": f"{some(i)}?", "choices": choices, "gold": i % 3}


def schema(i):
    options = [f"{some(i)} {word}" for word in ("Where", "What")]
    return {
        "context_options": options,
        "continuation": "is it?",
        "gold": i % 2,
    }


def word(i):
    return {"context": f"{some(i)} ", "continuation": some(i + 50, 1)}


ROWS = {"multiple_choice": choice, "schema": schema, "language_modeling": word}


def shown(kind, row, delimiter):
    """A document as an example."""
    if kind == "multiple_choice":
        return row["query"] + delimiter + row["choices"][row["gold"]]
    if kind == "schema":
        context = row["context_options"][row["gold"]]
        return context + delimiter + row["continuation"]
    return row["context"].strip() + delimiter + row["continuation"]


@torch.no_grad()
def right(small, kind, row, shots, delimiter):
    """Whether a document is right, by nanochat's definition."""
    before = "".join(f"{shown(kind, each, delimiter)}\n\n" for each in shots)
    several = {
        "multiple_choice": [
            row["query"] + delimiter + each for each in row.get("choices", ())
        ],
        "schema": [
            each + delimiter + row["continuation"]
            for each in row.get("context_options", ())
        ],
        "language_modeling": [shown(kind, row, delimiter)]
        if "context" in row
        else [],
    }[kind]
    rows = [
        [small.start_id, *small.tokenizer.encode(before + text)]
        for text in several
    ]
    logits = [small.model(torch.tensor([ids]))[0, :-1] for ids in rows]
    if kind == "language_modeling":
        cut = (before + row["context"].strip() + delimiter).strip()
        n = 1 + len(small.tokenizer.encode(cut))
        return logits[0].argmax(-1).tolist()[n - 1 :] == rows[0][n:]
    if kind == "multiple_choice":
        columns = zip(*rows, strict=False)
        n = next(i for i, each in enumerate(columns) if len(set(each)) > 1)
        starts = [n] * len(rows)
    else:
        n = len(small.tokenizer.encode(delimiter + row["continuation"]))
        starts = [len(ids) - n for ids in rows]
    means = []
    for each, ids, start in zip(logits, rows, starts, strict=True):
        nats = torch.nn.functional.cross_entropy(
            each, torch.tensor(ids[1:]), reduction="none"
        )
        means.append(float(nats[start - 1 :].mean()))
    return means.index(min(means)) == row["gold"]


@pytest.mark.parametrize(
    ("kind", "delimiter"),
    [
        ("multiple_choice", " "),
        ("multiple_choice", "\nAnswer: "),
        ("schema", " "),
        ("language_modeling", " "),
        ("language_modeling", "\nAnswer: "),
    ],
)
def test_each_kind_by_its_definition(kind, delimiter, small):
    """Tokens that all choices begin with below the line; the words of the
    delimiter scored; another draw of examples."""
    rows = [ROWS[kind](i) for i in range(8)]
    task = core_task(kind, kind, n_examples=1, delimiter=delimiter)
    found = score_task(
        small.model,
        small.tokenizer,
        task,
        rows,
        start_id=small.start_id,
        alone=False,
        progress=False,
    )
    due = []
    for i, row in enumerate(rows):
        others = [each for j, each in enumerate(rows) if j != i]
        shots = Random(1234 + i).sample(others, 1)
        due.append(float(right(small, kind, row, shots, delimiter)))
    assert found.grade().tolist() == due
    if kind != "language_modeling":
        assert 0 < sum(due) < len(due)


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "eval_data" / "some").mkdir(parents=True)
    entries = []
    for kind, make in ROWS.items():
        path = tmp_path / "eval_data" / "some" / f"{kind}.jsonl"
        lines = [json.dumps(make(i)) for i in range(5)]
        path.write_text("\n".join(lines) + "\n")
        entries.append(
            f"- label: {kind}_task\n  dataset_uri: some/{kind}.jsonl\n"
            f"  num_fewshot: [2]\n  icl_task_type: {kind}\n"
        )
    entries[0] += '  continuation_delimiter: "\\nAnswer: "\n'
    (tmp_path / "core.yaml").write_text("icl_tasks:\n" + "".join(entries))
    (tmp_path / "eval_meta_data.csv").write_text(
        "Eval Task,Random baseline\nmultiple_choice_task,33\n"
        "schema_task,50\nlanguage_modeling_task,0\n"
    )
    return tmp_path


def test_a_bundle(bundle):
    """Percents taken for parts, or documents in another order, which draws
    other examples."""
    tests = read_core(bundle)
    assert [task.chance for task, _ in tests] == [0.33, 0.5, 0]
    assert [task.n_examples for task, _ in tests] == [2, 2, 2]
    assert [t.delimiter for t, _ in tests] == ["\nAnswer: ", " ", " "]
    order = list(range(5))
    Random(1337).shuffle(order)
    assert tests[0].documents == [choice(i) for i in order]
    (one,) = read_core(bundle, ["schema_task"])
    assert one.task.name == "schema_task"


def test_a_bundle_that_is_damaged(bundle):
    """A KeyError out of a file that somebody else wrote."""
    with pytest.raises(ValueError, match="test 'x'; it has language_mod"):
        read_core(bundle, ["x"])
    meta, listed = bundle / "eval_meta_data.csv", bundle / "core.yaml"
    meta.write_text("Task,Chance\na,b\n")
    with pytest.raises(ValueError, match="'Random baseline', in percent"):
        read_core(bundle)
    listed.write_text("icl_tasks:\n- label: a\n")
    with pytest.raises(ValueError, match="lacks dataset_uri, icl_task_type"):
        read_core(bundle)
    for broken in ("a: 1", "- 1", "{"):
        listed.write_text(broken)
        with pytest.raises(ValueError, match="lists no icl_tasks"):
            read_core(bundle)
    listed.unlink()
    with pytest.raises(ValueError, match=r"there is no .*core\.yaml"):
        read_core(bundle)
    with pytest.raises(ValueError, match="kind is 'essay'"):
        core_task("a", "essay", n_examples=0)


def test_the_mean_of_centred_tests():
    """Accuracies averaged before they are centred, or an error for tests
    that are drawn."""
    parts = [
        TaskScores(
            task=str(chance),
            metric="acc",
            chance=chance,
            grades={"acc": np.array(grades)},
            prompts="",
        )
        for chance, grades in [(0.25, [1.0, 1.0, 0.0, 0.0]), (0.0, [1.0, 0.0])]
    ]
    found = core_score(parts)
    assert found.value == pytest.approx((0.25 / 0.75 + 0.5) / 2)
    errors = [sqrt(0.25 / 3) / 0.75, sqrt(0.25)]
    assert found.standard_error == pytest.approx(np.hypot(*errors) / 2)
    assert found.high - found.low == pytest.approx(
        2 * 1.96 * found.standard_error, rel=1e-3
    )
    assert found.n == 6
    with pytest.raises(ValueError, match="there are no scores"):
        core_score([])
