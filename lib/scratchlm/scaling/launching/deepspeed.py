"""A job as the configuration of DeepSpeed, and such a file as a job."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

from scratchlm.scaling.accounting.job import (
    FULL,
    MIXED,
    MIXED_SUMS,
    Job,
    Mesh,
    Precision,
    check,
)

# What it is to compute in, and in what gradients are summed.
_PRECISION: dict[tuple[bool, str], Precision] = {
    (True, "bf16"): MIXED,
    (True, "fp32"): MIXED_SUMS,
    (False, "fp32"): FULL,
}
_SIZES = (
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_accumulation_steps",
)


def deepspeed_config(
    job: Job, *, lr: float, weight_decay: float = 0.1, clip: float = 1.0
) -> dict[str, Any]:
    """Return what DeepSpeed reads of a run from a JSON file.

    The file knows data parallel processes alone. Tensor, pipeline and expert
    parallelism, and what backward computes again, are said where the model
    is built.

    Args:
        job: the step.
        lr: peak learning rate.
        weight_decay: of AdamW, decoupled from the gradient.
        clip: the longest gradient; ``inf`` for any.

    Raises:
        Uneven: its numbers do not divide each other.
        ValueError: the file has no word for a part of the job, or a rate is
            out of range.

    Source: DeepSpeed 0.19, deepspeed/runtime/config.py and zero/config.py.
    """
    check(job, job.mesh.world)
    if job.mesh.world != job.mesh.dp or job.mesh.ep > 1:
        raise ValueError(
            f"the mesh is {job.mesh}, and DeepSpeed's file has no word for "
            "what is not data parallel; give a mesh of dp alone, or say the "
            "rest in the program"
        )
    for name, value in (("lr", lr), ("clip", clip)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; give a number above 0")
    bfloat16, sums = _types(job.precision)
    return {
        "train_batch_size": job.n_rows,
        "train_micro_batch_size_per_gpu": job.micro_rows,
        "gradient_accumulation_steps": job.n_micro,
        "optimizer": {
            "type": "AdamW",
            "params": {
                "lr": lr,
                "betas": [0.9, 0.95],
                "eps": 1e-8,
                "weight_decay": weight_decay,
                "adam_w_mode": True,
            },
        },
        # Where nothing is said it is 1.0, and 0 means any length.
        "gradient_clipping": 0.0 if clip == inf else clip,
        "bf16": {"enabled": bfloat16},
        "data_types": {"grad_accum_dtype": sums},
        "zero_optimization": {
            "stage": job.zero,
            "overlap_comm": job.overlap,
        },
    }


def job_of_deepspeed(
    config: Mapping[str, Any], *, world: int, like: Job
) -> Job:
    """Return the job that a file of DeepSpeed says.

    Args:
        config: what the file holds.
        world: W, the processes that are started.
        like: has what the file does not say: the model, its tokens, and what
            backward computes again.

    Raises:
        ValueError: the numbers contradict each other, or a value is missing
            that DeepSpeed would choose.
    """
    rows, micro_rows, n_micro = (_number(config, name) for name in _SIZES)
    if rows != micro_rows * n_micro * world:
        raise ValueError(
            f"train_batch_size is {rows}, but {micro_rows} rows × {n_micro} "
            f"micro-batches × {world} processes are "
            f"{micro_rows * n_micro * world}; change one of them"
        )
    if "gradient_clipping" not in config:
        raise ValueError(
            "gradient_clipping is missing, and DeepSpeed would clip at 1.0; "
            "say 1.0, or 0.0 for any length"
        )
    types = (
        config.get("bf16", {}).get("enabled", False),
        config.get("data_types", {}).get("grad_accum_dtype"),
    )
    if types not in _PRECISION:
        raise ValueError(
            f"bf16 is {types[0]} and grad_accum_dtype {types[1]!r}; give "
            + " or ".join(f"{b} and {sums!r}" for b, sums in _PRECISION)
        )
    zero = config.get("zero_optimization", {})
    job = replace(
        like,
        mesh=Mesh(dp=world),
        n_rows=rows,
        micro_rows=micro_rows,
        zero=zero.get("stage", 0),
        # DeepSpeed itself decides by the stage where nothing is said.
        overlap=zero.get("overlap_comm", zero.get("stage", 0) == 3),
        precision=_PRECISION[types],
    )
    check(job, world)
    return job


def _types(precision: Precision) -> tuple[bool, str]:
    for types, known in _PRECISION.items():
        if known == precision:
            return types
    raise ValueError(
        f"precision is {precision}, for which DeepSpeed's file has no word; "
        "give MIXED, MIXED_SUMS or FULL"
    )


def _number(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}; give a whole number from 1 on")
    return value
