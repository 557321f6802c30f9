"""A job in Megatron-LM's words, held against its own parser's."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from scratchlm.scaling.accounting.hardware import cluster
from scratchlm.scaling.accounting.job import (
    CAST,
    FULL,
    MIXED_SUMS,
    Job,
    Mesh,
    Uneven,
)
from scratchlm.scaling.accounting.model_shape import named
from scratchlm.scaling.accounting.search import plans
from scratchlm.scaling.launching.megatron import (
    job_of_megatron,
    megatron_arguments,
)

KNOWN = json.loads(
    Path(__file__).with_name("library_names.json").read_text("utf8")
)["megatron"]
LLAMA = Job(
    model=named("llama3-70b"),
    mesh=Mesh(dp=4, tp=8, pp=4),
    n_rows=128,
    n_tokens=8192,
    zero=1,
    recompute="attention",
)
JOBS = [
    LLAMA,
    replace(LLAMA, n_chunks=5, precision=MIXED_SUMS, overlap_tp=True),
    replace(LLAMA, zero=2, recompute="full", dropout=True, overlap=False),
    replace(LLAMA, zero=3, recompute="none", fused_attention=False),
    replace(LLAMA, zero=0, sequence_parallel=False, fused=False),
    replace(LLAMA, mesh=Mesh(dp=1, cp=4, tp=8), precision=FULL, n_rows=3),
    replace(
        LLAMA,
        model=named("mixtral-8x7b"),
        mesh=Mesh(dp=8, ep=4, tp=2, pp=2),
        micro_rows=2,
    ),
    replace(LLAMA, model=named("gpt3-175b"), n_tokens=2048),
    replace(LLAMA, model=named("qwen3-8b"), mesh=Mesh(dp=2, tp=4, pp=4)),
    # 126 layers for 16 stages, as Llama 3's largest has them.
    replace(LLAMA, model=named("llama3-405b"), mesh=Mesh(dp=2, tp=8, pp=16)),
]


@pytest.mark.parametrize("job", JOBS)
def test_megatron_has_every_argument(job):
    """A name that was renamed, or a value that a flag does not take."""
    words = [*megatron_arguments(job), "--end"]
    for word, after in pairwise(words):
        if word.startswith("--"):
            flag = after.startswith("--")
            assert word in KNOWN["flags" if flag else "options"], word


@pytest.mark.parametrize("job", JOBS)
def test_the_way_back_gives_the_same_job(job):
    """A part of the job that no argument says."""
    other = Job(model=job.model, mesh=Mesh(), n_rows=1, n_tokens=1)
    words = megatron_arguments(job)
    assert job_of_megatron(words, world=job.mesh.world, like=other) == job
    joined = " ".join(words).replace("-size ", "-size=").split(" ")
    assert job_of_megatron(joined, world=job.mesh.world, like=other) == job


def test_numbers_of_the_arguments_agree():
    """Micro-batches of a step that are not those of the job."""
    job = JOBS[1]
    words = megatron_arguments(job)
    found = dict(pairwise(words))
    size = {name: int(found[f"--{name}"]) for name in SIZES}
    dp = job.mesh.world // (
        size["tensor-model-parallel-size"]
        * size["pipeline-model-parallel-size"]
        * size["context-parallel-size"]
    )
    per_step = dp * size["micro-batch-size"]
    assert size["global-batch-size"] == per_step * job.n_micro
    assert (
        size["num-layers-per-virtual-pipeline-stage"]
        * size["pipeline-model-parallel-size"]
        * job.n_chunks
        == size["num-layers"]
    )


SIZES = (
    "tensor-model-parallel-size",
    "pipeline-model-parallel-size",
    "context-parallel-size",
    "micro-batch-size",
    "global-batch-size",
    "num-layers",
    "num-layers-per-virtual-pipeline-stage",
)


def test_what_a_default_would_change_is_said():
    """Dropout of 0.1, and rows of the embedding that nobody asked for."""
    found = dict(pairwise(megatron_arguments(LLAMA)))
    assert found["--hidden-dropout"] == found["--attention-dropout"] == "0.0"
    assert found["--make-vocab-size-divisible-by"] == "1"
    assert found["--normalization"] == "RMSNorm"
    assert found["--num-query-groups"] == "8"


def test_the_planner_s_best_has_arguments():
    """A plan that can be drawn and not be started."""
    base = replace(LLAMA, model=named("llama3-8b"), mesh=Mesh(dp=8), n_rows=32)
    found = plans(base, cluster("h100", 8))
    jobs = [p.job for p in found.by_mesh() if p.job.recompute != "products"]
    assert len(jobs) > 3
    for job in jobs:
        words = megatron_arguments(job)
        assert job_of_megatron(words, world=8, like=base) == job


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recompute": "products"}, "recompute is 'products'"),
        ({"precision": CAST}, "give mixed or mixed-sums or float32"),
        (
            {"model": replace(named("llama3-8b"), n_small=7, name="odd")},
            "odd has 7 weights of norms",
        ),
    ],
)
def test_what_megatron_has_no_word_for_is_refused(changes, message):
    """A run that computes something else than what was planned."""
    with pytest.raises(ValueError, match=message):
        megatron_arguments(replace(LLAMA, **changes))


def test_a_job_that_does_not_come_out_even_is_refused():
    """Arguments that Megatron-LM itself refuses, on all its processes."""
    with pytest.raises(Uneven, match="n_rows is 127"):
        megatron_arguments(replace(LLAMA, n_rows=127))


def changed(name, value, words=None):
    words = list(words or megatron_arguments(LLAMA))
    words[words.index(name) + 1] = value
    return words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (changed("--hidden-size", "4096"), "--hidden-size 4096, which should"),
        (changed("--tensor-model-parallel-size", "0"), "is '0'; give a whole"),
        (changed("--micro-batch-size", "x"), "is 'x'; give a whole number"),
        (changed("--tensor-model-parallel-size", "12"), "give|start a mult"),
        ([*megatron_arguments(LLAMA), "--bf16"], "--bf16 is given twice"),
        ([*megatron_arguments(LLAMA), "x", "y"], "'x' belongs to no|'y'"),
        (["x"], "'x' belongs to no argument"),
        ([*megatron_arguments(LLAMA), "--fp8-format", "e4m3"], "--fp8-format"),
        (
            [*megatron_arguments(LLAMA), "--recompute-method", "block"],
            "no choice of recomputation",
        ),
        (
            [
                *megatron_arguments(LLAMA),
                "--num-layers-per-virtual-pipeline-stage",
                "7",
            ],
            "80 layers cannot be cut into pieces of 7 for 4 stages",
        ),
        (
            [w for w in megatron_arguments(LLAMA) if w != "--swiglu"],
            "--swiglu is missing",
        ),
    ],
)
def test_arguments_that_contradict_are_refused(words, message):
    """A word that is skipped, so that the plan is of another run."""
    with pytest.raises(ValueError, match=message):
        job_of_megatron(words, world=128, like=LLAMA)
