"""Our tasks and lm-evaluation-harness's own, on the same local documents."""

import random
from math import log
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scratchlm.evaluation.multiple_choice.public_tasks import (
    arc,
    hellaswag,
    lambada,
    mmlu,
)
from scratchlm.evaluation.multiple_choice.scoring import score_task
from scratchlm.interop import hf
from scratchlm.text.tokenizer import BPETokenizer

END = "<|endoftext|>"
WORDS = ["the", "old", "dog", "saw", "a", "red", "fox", "in", "fog", "river"]


def text(seed, n_words):
    draws = random.Random(seed)
    return " ".join(draws.choices(WORDS, k=n_words))


def choices(i, n=4):
    return [f"{WORDS[k]} {text(10 * i + k, 1 + k)}" for k in range(n)]


def of_mmlu(i):
    return {
        "question": f" {text(i, 5)}?",
        "choices": choices(i),
        "answer": i % 4,
        "subject": "abstract_algebra",
    }


def of_arc(i):
    n = 3 + i % 3
    labels = list("ABCDE" if i % 2 else "12345")[:n]
    return {
        "question": text(i, 6),
        "choices": {"text": choices(i, n), "label": labels},
        "answerKey": labels[i % n],
    }


def of_hellaswag(i):
    return {
        "ctx_a": f"[header] {text(i, 4)} [title] {text(i + 1, 3)}.",
        "ctx_b": text(i + 2, 2),
        "activity_label": "Walking",
        "endings": [f"[step] {each}  end" for each in choices(i)],
        "label": str(i % 4),
    }


def of_lambada(i):
    return {"text": text(i, 12)}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """One checkpoint with its tokenizer, in their hands and in ours."""
    import transformers
    from lm_eval.models.huggingface import HFLM

    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer = BPETokenizer.train(
        [text(0, 900)], vocab_size=280, special_tokens=[END]
    )
    tokenizer.save(folder / "tokenizer")
    end = tokenizer.special_tokens[END]
    config = transformers.LlamaConfig(
        vocab_size=280, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
        max_position_embeddings=512, initializer_range=0.2, bos_token_id=end,
        eos_token_id=end,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(
        folder
    )
    model = hf.load(folder, dtype=torch.float32).model.eval()
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer" / "tokenizer.json"),
        eos_token=END,
    ).save_pretrained(folder)
    theirs = HFLM(
        pretrained=str(folder), device="cpu", dtype="float32", batch_size=8
    )
    return SimpleNamespace(
        ours=model, tokenizer=tokenizer, end=end, theirs=theirs
    )


def their_results(lm, file, splits, **changes):
    """What the harness's own task, as it stands in its file, reports."""
    import datasets
    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks._yaml_loader import load_yaml

    path = Path(lm_eval.__file__).parent / "tasks" / file
    rows = {k: datasets.Dataset.from_list(v) for k, v in splits.items()}
    config = load_yaml(path) | {"custom_dataset": lambda **_: rows} | changes
    config.pop("tag", None)
    task = ConfigurableTask(config=config)
    found = evaluate(lm=lm, task_dict={"t": task}, bootstrap_iters=100)
    return found["results"]["t"]


@pytest.mark.parametrize(
    ("task", "file", "make", "changes"),
    [
        (
            mmlu(),
            "mmlu/default/mmlu_abstract_algebra.yaml",
            of_mmlu,
            {"num_fewshot": 5},
        ),
        (arc("easy"), "arc/arc_easy.yaml", of_arc, {}),
        (hellaswag(), "hellaswag/hellaswag.yaml", of_hellaswag, {}),
        (lambada(), "lambada/lambada_openai.yaml", of_lambada, {}),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_the_same_to_the_last_digit(both, task, file, make, changes):
    """Another prompt, another cut, another length, or another error."""
    asked, pool = (
        [make(i) for i in range(24)],
        [make(i) for i in range(50, 57)],
    )
    ours = score_task(
        both.ours,
        both.tokenizer,
        task,
        asked,
        examples=pool,
        start_id=both.end,
        begin=False,
        progress=False,
    )
    splits = dict.fromkeys(("dev", "train"), pool)
    splits |= dict.fromkeys(("test", "validation"), asked)
    due = their_results(both.theirs, file, splits, **changes)
    compared = 0
    for metric in ("acc", "acc_norm"):
        if f"{metric},none" in due:
            found = ours.interval(metric)
            assert found.value == pytest.approx(
                due[f"{metric},none"], abs=1e-15
            )
            error = due[f"{metric}_stderr,none"]
            assert found.standard_error == pytest.approx(error, rel=1e-12)
            compared += 1
    assert compared
    if task.name != "lambada_openai":
        assert 0 < ours.interval("acc").value < 1
    else:
        nats = ours.grade("nats").mean()
        theirs = due["perplexity,none"]
        assert nats == pytest.approx(log(theirs), rel=1e-5)
