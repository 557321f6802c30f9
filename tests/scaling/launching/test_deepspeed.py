"""A job in the file of DeepSpeed, held against its own names."""

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from scratchlm.scaling.accounting.job import (
    CAST,
    FULL,
    MIXED_SUMS,
    Job,
    Mesh,
    Uneven,
)
from scratchlm.scaling.accounting.model_shape import named
from scratchlm.scaling.launching.deepspeed import (
    deepspeed_config,
    job_of_deepspeed,
)

KNOWN = json.loads(
    Path(__file__).with_name("library_names.json").read_text("utf8")
)["deepspeed"]
LLAMA = Job(
    model=named("llama3-8b"),
    mesh=Mesh(dp=64),
    n_rows=512,
    n_tokens=8192,
    micro_rows=2,
    zero=3,
    recompute="full",
)
JOBS = [
    LLAMA,
    replace(LLAMA, zero=2, precision=MIXED_SUMS),
    replace(LLAMA, zero=1, precision=FULL, overlap=False),
    replace(LLAMA, zero=0, micro_rows=1),
]


@pytest.mark.parametrize("job", JOBS)
def test_deepspeed_knows_every_name(job):
    """A name that it skips without a word, as it does with most."""
    config = deepspeed_config(job, lr=3e-4)
    assert config.keys() <= set(KNOWN["top"])
    for part in ("zero_optimization", "bf16", "data_types", "optimizer"):
        assert config[part].keys() <= set(KNOWN[part]), part
    assert config["optimizer"]["params"].keys() <= set(KNOWN["params"])


@pytest.mark.parametrize("job", JOBS)
def test_the_way_back_gives_the_same_job(job):
    """A part of the job that the file does not say."""
    other = Job(
        model=job.model,
        mesh=Mesh(),
        n_rows=1,
        n_tokens=job.n_tokens,
        recompute=job.recompute,
    )
    file = json.loads(json.dumps(deepspeed_config(job, lr=1e-4)))
    found = job_of_deepspeed(file, world=job.mesh.world, like=other)
    assert found == job


def test_the_batch_is_the_product_of_its_parts():
    """Micro-batches that leave rows out of every step."""
    config = deepspeed_config(LLAMA, lr=1e-4)
    assert config["train_batch_size"] == 512
    assert config["gradient_accumulation_steps"] == 4
    assert config["train_micro_batch_size_per_gpu"] == 2


def test_what_a_default_would_change_is_said():
    """Gradients that are clipped at 1.0, since nobody said otherwise, and
    Adam that means AdamW."""
    config = deepspeed_config(LLAMA, lr=1e-4, clip=0.5)
    assert config["gradient_clipping"] == 0.5
    assert config["optimizer"]["type"] == "AdamW"
    assert config["optimizer"]["params"]["adam_w_mode"] is True
    free = deepspeed_config(LLAMA, lr=1e-4, clip=inf)
    assert free["gradient_clipping"] == 0.0
    json.dumps(free, allow_nan=False)


@pytest.mark.parametrize("job", JOBS)
def test_deepspeed_itself_reads_the_file(job, monkeypatch):
    """Numbers that its own check refuses, or that it reads as others."""
    library = pytest.importorskip("deepspeed.runtime.config")
    monkeypatch.setattr(library.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(library.dist, "get_world_size", lambda: 64)
    read = library.DeepSpeedConfig(deepspeed_config(job, lr=1e-4, clip=inf))
    assert read.gradient_accumulation_steps == job.n_micro
    assert read.zero_optimization_stage == job.zero
    assert read.gradient_clipping == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mesh": Mesh(dp=8, tp=8)}, "mesh is dp 8 × tp 8, and DeepSpeed"),
        ({"precision": CAST}, "give MIXED, MIXED_SUMS or FULL"),
    ],
)
def test_what_the_file_has_no_word_for_is_refused(changes, message):
    """A pipeline that is planned, and a run that has none."""
    with pytest.raises(ValueError, match=message):
        deepspeed_config(replace(LLAMA, **changes), lr=1e-4)


def test_rates_and_rows_out_of_range_are_refused():
    """A clip of 0, which DeepSpeed reads as none at all."""
    with pytest.raises(ValueError, match=r"clip is 0\.0; give"):
        deepspeed_config(LLAMA, lr=1e-4, clip=0.0)
    with pytest.raises(ValueError, match="lr is nan"):
        deepspeed_config(LLAMA, lr=float("nan"))
    with pytest.raises(Uneven, match="n_rows is 511"):
        deepspeed_config(replace(LLAMA, n_rows=511), lr=1e-4)


def without(config, *names):
    return {k: v for k, v in config.items() if k not in names}


FILE = deepspeed_config(LLAMA, lr=1e-4)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FILE | {"train_batch_size": 256}, "256, but 2 rows × 4 micro"),
        (FILE | {"train_batch_size": True}, "train_batch_size is True"),
        (without(FILE, "train_batch_size"), "train_batch_size is None"),
        (without(FILE, "gradient_clipping"), "would clip at 1.0"),
        (without(FILE, "bf16"), "bf16 is False and grad_accum_dtype 'bf16'"),
        (without(FILE, "data_types"), "grad_accum_dtype None"),
        (FILE | {"zero_optimization": {"stage": 4}}, "zero is 4"),
    ],
)
def test_a_file_that_leaves_open_is_refused(config, message):
    """A value that DeepSpeed chooses, and nobody planned."""
    with pytest.raises(ValueError, match=message):
        job_of_deepspeed(config, world=64, like=LLAMA)


def test_the_library_s_own_choices_are_known():
    """A job without ZeRO where the file has no such part."""
    found = job_of_deepspeed(
        without(FILE, "zero_optimization"), world=64, like=LLAMA
    )
    assert (found.zero, found.overlap) == (0, False)
    stage = FILE | {"zero_optimization": {"stage": 3}}
    assert job_of_deepspeed(stage, world=64, like=LLAMA).overlap
