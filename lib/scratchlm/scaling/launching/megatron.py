"""A job as the arguments of Megatron-LM, and such arguments as a job."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from scratchlm.scaling.accounting.job import (
    FULL,
    MIXED,
    MIXED_SUMS,
    Job,
    Mesh,
    check,
)
from scratchlm.scaling.accounting.model_shape import ModelShape

Options = dict[str, str]  # by name; a flag has an empty text
Key = TypeVar("Key")

_PRECISION: dict[str, Options] = {
    "mixed": {"--bf16": "", "--grad-reduce-in-bf16": ""},
    "mixed-sums": {"--bf16": "", "--accumulate-allreduce-grads-in-fp32": ""},
    "float32": {},
}
_PRECISIONS = {"mixed": MIXED, "mixed-sums": MIXED_SUMS, "float32": FULL}
_SHARDED: Options = {
    "--use-distributed-optimizer": "",
    "--use-megatron-fsdp": "",
    "--ckpt-format": "fsdp_dtensor",
}
# Megatron-LM says by a word what ZeRO's papers say by a number.
_STRATEGY = "--data-parallel-sharding-strategy"
_ZERO: tuple[Options, ...] = (
    {},
    {"--use-distributed-optimizer": ""},
    {**_SHARDED, _STRATEGY: "optim_grads"},
    {**_SHARDED, _STRATEGY: "optim_grads_params"},
)
_RECOMPUTE: dict[str, Options] = {
    "none": {},
    "attention": {
        "--recompute-granularity": "selective",
        "--recompute-modules": "core_attn",
    },
    "full": {
        "--recompute-granularity": "full",
        "--recompute-method": "uniform",
        "--recompute-num-layers": "1",
    },
}
_UNFUSED = ("--no-bias-dropout-fusion", "--no-masked-softmax-fusion")
_VIRTUAL = "--num-layers-per-virtual-pipeline-stage"
_OUTER: Options = {
    "--account-for-embedding-in-pipeline-split": "",
    "--account-for-loss-in-pipeline-split": "",
}


def megatron_arguments(job: Job) -> tuple[str, ...]:
    """Return what ``pretrain_gpt.py`` of Megatron-LM is called with.

    Data, learning rates and places of checkpoints are not part of a job. The
    number of data parallel processes is in no argument: it is what is left
    of the world. What differs from a default of Megatron-LM is said, and so
    are defaults that could surprise, such as dropout of 0.1.

    Args:
        job: the step.

    Raises:
        Uneven: its numbers do not divide each other.
        ValueError: Megatron-LM has no argument for a part of it.

    Source: Megatron-LM 0.20, megatron/training/arguments.py.
    """
    words: list[str] = []
    for name, value in _options(job).items():
        words += [name, value] if value else [name]
    return tuple(words)


def job_of_megatron(words: Sequence[str], *, world: int, like: Job) -> Job:
    """Return the job that arguments of Megatron-LM say.

    Args:
        words: of the command line.
        world: W, the processes that torchrun starts.
        like: has what the arguments do not say: the model, whose sizes must
            be those of the arguments, and the bytes of a logit.

    Raises:
        ValueError: the arguments contradict each other or the model, or one
            of them says what a job has no word for.
    """
    given = _read(words)
    rest = [_number(given, f"--{name}", 1) for name in _AXES.values()]
    tp, pp, cp, ep = rest
    if world % (tp * pp * cp):
        raise ValueError(
            f"{world} processes are no multiple of tp {tp} × pp {pp} × cp "
            f"{cp}; start a multiple of {tp * pp * cp}"
        )
    job = replace(
        like,
        mesh=Mesh(dp=world // (tp * pp * cp), tp=tp, pp=pp, cp=cp, ep=ep),
        n_rows=_number(given, "--global-batch-size"),
        micro_rows=_number(given, "--micro-batch-size"),
        n_tokens=_number(given, "--seq-length"),
        zero=_kind(given, dict(enumerate(_ZERO)), "a stage of ZeRO"),
        recompute=_kind(given, _RECOMPUTE, "recomputation"),
        n_chunks=_chunks(given, like.model.n_layers, pp),
        fused_attention=given.get("--attention-backend") != "unfused",
        fused=_UNFUSED[0] not in given,
        sequence_parallel=tp == 1 or "--sequence-parallel" in given,
        dropout=given.get("--hidden-dropout") != "0.0",
        overlap="--overlap-grad-reduce" in given,
        overlap_tp="--tp-comm-overlap" in given,
        precision=_PRECISIONS[_kind(given, _PRECISION, "a precision")],
    )
    _agree(given, _options(job))
    return job


_AXES = {
    "tp": "tensor-model-parallel-size",
    "pp": "pipeline-model-parallel-size",
    "cp": "context-parallel-size",
    "ep": "expert-model-parallel-size",
}


def _options(job: Job) -> Options:
    check(job, job.mesh.world)
    mesh = vars(job.mesh)
    return {
        **{f"--{name}": f"{mesh[axis]}" for axis, name in _AXES.items()},
        "--micro-batch-size": f"{job.micro_rows}",
        "--global-batch-size": f"{job.n_rows}",
        "--seq-length": f"{job.n_tokens}",
        **_model(job.model, job.n_tokens),
        **_stages(job),
        **_flags(job),
        **_ZERO[job.zero],
        **_named(_RECOMPUTE, job.recompute, "recompute"),
        **_named(_PRECISION, _precision(job), "precision"),
    }


def _flags(job: Job) -> Options:
    """What is on or off, and where a default is not what a job means."""
    drop = "0.1" if job.dropout else "0.0"
    found = {
        "--attention-dropout": drop,
        "--hidden-dropout": drop,
        "--attention-backend": "flash" if job.fused_attention else "unfused",
    }
    flags = {
        "--sequence-parallel": job.sequence_parallel and job.mesh.tp > 1,
        "--overlap-grad-reduce": job.overlap,
        "--overlap-param-gather": job.overlap and job.zero > 0,
        "--tp-comm-overlap": job.overlap_tp,
        **dict.fromkeys(_UNFUSED, not job.fused),
    }
    return found | {name: "" for name, on in flags.items() if on}


def _model(model: ModelShape, n_tokens: int) -> Options:
    positions = model.n_positions
    kind = "learned_absolute" if positions else "rope"
    found = {
        "--num-layers": f"{model.n_layers}",
        "--hidden-size": f"{model.d_model}",
        "--ffn-hidden-size": f"{model.d_ff}",
        "--num-attention-heads": f"{model.n_heads}",
        "--kv-channels": f"{model.d_head}",
        "--position-embedding-type": kind,
        "--max-position-embeddings": f"{positions or n_tokens}",
        "--vocab-size": f"{model.vocab_size}",
        # Its default of 128 would add rows to the embedding.
        "--make-vocab-size-divisible-by": "1",
        **_small(model),
    }
    if model.n_kv_heads != model.n_heads:
        found["--group-query-attention"] = ""
        found["--num-query-groups"] = f"{model.n_kv_heads}"
    if model.n_experts:
        found["--num-experts"] = f"{model.n_experts}"
        found["--moe-router-topk"] = f"{model.top_k}"
        found["--moe-ffn-hidden-size"] = f"{model.d_ff}"
    if model.gated:
        found["--swiglu"] = ""
    if not model.tied:
        found["--untie-embeddings-and-output-weights"] = ""
    return found


def _small(model: ModelShape) -> Options:
    """Norms and biases, of which a shape knows the number of weights."""
    width = model.d_model
    heads = (model.n_heads + 2 * model.n_kv_heads) * model.d_head
    inner = (1 + model.gated) * model.d_ff
    biases = heads + width + inner + width
    no_bias = {"--normalization": "RMSNorm", "--disable-bias-linear": ""}
    kinds = {
        (2 * width, width): no_bias,
        (2 * width + 2 * model.d_head, width): {
            **no_bias,
            "--qk-layernorm": "",
        },
        (2 * width + heads, width): {**no_bias, "--add-qkv-bias": ""},
        (4 * width + biases, 2 * width): {"--normalization": "LayerNorm"},
    }
    found = kinds.get((model.n_small, model.n_last))
    if found is None:
        raise ValueError(
            f"{model.name} has {model.n_small} weights of norms and biases "
            f"in a layer of width {width}, which is no kind that Megatron-LM "
            f"has an argument for; those have {', '.join(map(str, kinds))}"
        )
    return found


def _stages(job: Job) -> Options:
    pieces, layers = job.mesh.pp * job.n_chunks, job.model.n_layers
    found: Options = {}
    if layers % pieces:  # the embedding and the head stand for a layer each
        found = dict(_OUTER)
        layers += len(_OUTER)
    if job.n_chunks > 1:
        found[_VIRTUAL] = f"{layers // pieces}"
    return found


def _chunks(given: Options, n_layers: int, pp: int) -> int:
    layers = n_layers + sum(name in given for name in _OUTER)
    each = _number(given, _VIRTUAL, max(1, layers // pp))
    if layers % (pp * each):
        raise ValueError(
            f"{layers} layers cannot be cut into pieces of {each} for {pp} "
            f"stages; give {_VIRTUAL} a divisor of {layers} / {pp}"
        )
    return layers // (pp * each)


def _precision(job: Job) -> str:
    for name, precision in _PRECISIONS.items():
        if precision == job.precision:
            return name
    raise ValueError(
        f"precision is {job.precision}, for which Megatron-LM has no "
        f"argument; give {' or '.join(_PRECISIONS)}"
    )


def _named(kinds: dict[str, Options], name: str, what: str) -> Options:
    if name not in kinds:
        raise ValueError(
            f"{what} is {name!r}, for which Megatron-LM has no argument; "
            f"give {' or '.join(map(repr, kinds))}"
        )
    return kinds[name]


def _read(words: Sequence[str]) -> Options:
    """Return words by the option they follow."""
    found: Options = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            if name in found:
                raise ValueError(f"{name} is given twice; give it once")
            found[name] = value
        elif not name or found[name]:
            raise ValueError(f"{word!r} belongs to no argument; leave it out")
        else:
            found[name] = word
    return found


def _number(given: Options, name: str, default: int | None = None) -> int:
    text = given.get(name, "" if default is None else f"{default}")
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name} is {text!r}; give a whole number from 1 on")
    return int(text)


def _kind(given: Options, kinds: dict[Key, Options], what: str) -> Key:
    """Return which of some groups of options is the one that is given."""
    names = {name for options in kinds.values() for name in options}
    ours = {name: given[name] for name in names & given.keys()}
    for key, options in kinds.items():
        if options == ours:
            return key
    told = " ".join(f"{k} {v}".strip() for k, v in sorted(ours.items()))
    raise ValueError(
        f"{told} is no choice of {what}; give one of "
        + "; ".join(
            " ".join(options) or "nothing" for options in kinds.values()
        )
    )


def _agree(given: Options, due: Options) -> None:
    """Refuse what the job would not say, and what it would say otherwise."""
    faults = [
        f"{name} {given.get(name, 'is missing')}".strip()
        + (f", which should be {due[name]}".rstrip() if name in due else "")
        for name in sorted(given.keys() | due.keys())
        if given.get(name) != due.get(name)
    ]
    if faults:
        raise ValueError(
            f"the arguments are not those of this job: {'; '.join(faults)}; "
            "change them, or give the model that they are for"
        )
