"""What NVIDIA published of Megatron-LM, on A100 and H100."""

from dataclasses import replace

from scratchlm.scaling.accounting.job import MIXED, MIXED_SUMS, Job, Mesh
from scratchlm.scaling.accounting.model_shape import ModelShape, gpt
from scratchlm.scaling.accounting.published_run import Run, seconds_at

_T = 2048

# Billions of parameters, layers, width and heads.
_SIZES = {
    "1.7B": (24, 2304, 24),
    "3.6B": (30, 3072, 32),
    "7.5B": (36, 4096, 32),
    "18.4B": (40, 6144, 48),
    "22B": (48, 6144, 64),
    "39.1B": (48, 8192, 64),
    "76.1B": (60, 10_240, 80),
    "145.6B": (80, 12_288, 96),
    "174.6B": (96, 12_288, 96),
    "310.1B": (96, 16_384, 128),
    "529.6B": (105, 20_480, 128),
    "1008.0B": (128, 25_600, 160),
}

# Narayanan et al. 2021, table 1: size, tp, pp, chips, batch and TFLOP/s per
# chip. The rest is in the scripts that the authors published for this table
# (Megatron-LM, examples/academic_paper_scripts/sc21/run_table_1.sh): rows of
# a micro-batch, chunks, and whether PyTorch overlaps gradients.
_WEAK_SCALING = (
    ("1.7B", 1, 1, 32, 512, 137, 16, 1, True),
    ("3.6B", 2, 1, 64, 512, 138, 16, 1, True),
    ("7.5B", 4, 1, 128, 512, 142, 16, 1, True),
    ("18.4B", 8, 1, 256, 1024, 135, 8, 1, True),
    ("39.1B", 8, 2, 512, 1536, 138, 4, 1, False),
    ("76.1B", 8, 4, 1024, 1792, 140, 2, 3, False),
    ("145.6B", 8, 8, 1536, 2304, 148, 2, 2, False),
    ("310.1B", 8, 16, 1920, 2160, 155, 1, 2, False),
    ("529.6B", 8, 35, 2520, 2520, 163, 1, 3, False),
    ("1008.0B", 8, 64, 3072, 3072, 163, 1, 1, False),
)

# The same, table 2: size, pp, chips, batch, TFLOP/s. Micro-batches of 1 row
# and a tp of 8, as elsewhere; pp is what is left of the model-parallel size.
_LARGE = (
    ("174.6B", 12, 384, 1536, 153),
    ("174.6B", 12, 768, 1536, 149),
    ("174.6B", 12, 1536, 1536, 141),
    ("529.6B", 35, 560, 2240, 171),
    ("529.6B", 35, 1120, 2240, 167),
    ("529.6B", 35, 2240, 2240, 159),
)

# The same table, DeepSpeed's ZeRO-3: size, chips, batch, rows, TFLOP/s.
_ZERO = (
    ("174.6B", 384, 1536, 4, 144),
    ("174.6B", 768, 1536, 2, 88),
    ("174.6B", 1536, 1536, 1, 44),
    ("529.6B", 640, 2560, 4, 138),
    ("529.6B", 1120, 2240, 2, 98),
    ("529.6B", 2240, 2240, 1, 48),
)

# Korthikanti et al. 2022, tables 3 and 5: size, pp, batch, rows, chunks, and
# seconds with full recomputation and with that of attention.
_RECOMPUTATION = (
    ("22B", 1, 4, 4, 1, 1.42, 1.10),
    ("174.6B", 8, 64, 1, 3, 18.13, 13.75),
    ("529.6B", 35, 280, 1, 3, 49.05, 37.83),
    ("1008.0B", 64, 512, 1, 1, 94.42, 71.49),
)

# Megatron-LM's README (2024), rows without a pipeline: name, layers, width,
# heads, tp, chips, TFLOP/s per chip. Batch 192 and dp 48.
_HOPPER = (
    ("1.7B-2024", 24, 2048, 16, 1, 48, 408.8),
    ("7.1B-2024", 30, 4096, 32, 2, 96, 465.9),
    ("16B-2024", 32, 6144, 48, 4, 192, 489.1),
    ("32B-2024", 48, 7168, 56, 8, 384, 459.6),
)


def _model(size: str) -> ModelShape:
    return gpt(size, *_SIZES[size])


def step_flops(model: ModelShape, n_rows: int, n_tokens: int) -> float:
    """Return the operations of a step as Megatron-LM's papers count them.

    All scores count, also those that the mask hides. Recomputation does
    not; with full recomputation the paper of 2021 counts a third more.

    Args:
        model: its sizes.
        n_rows: B.
        n_tokens: T.

    Source: Korthikanti et al. 2022, equation 7.
    """
    d, layers = model.d_model, model.n_layers
    extra = n_tokens / (6 * d) + model.vocab_size / (12 * layers * d)
    return 72.0 * n_rows * n_tokens * layers * d**2 * (1 + extra)


def _step_flops_again(model: ModelShape, n_rows: int) -> float:
    d, layers = model.d_model, model.n_layers
    extra = _T / (6 * d) + model.vocab_size / (16 * layers * d)
    return 96.0 * n_rows * _T * layers * d**2 * (1 + extra)


def _old(model: ModelShape, mesh: Mesh, n_rows: int) -> Job:
    """Megatron-LM of 2021: dropout, and scores that go through memory."""
    return Job(
        model=model,
        mesh=mesh,
        n_rows=n_rows,
        n_tokens=_T,
        recompute="full",
        fused_attention=False,
        sequence_parallel=False,
        dropout=True,
        logit_bytes=8,
        precision=MIXED_SUMS,
    )


def weak_scaling() -> list[Run]:
    """Return the runs of the first paper's table 1."""
    runs = []
    for size, tp, pp, n, batch, tera, rows, chunks, overlap in _WEAK_SCALING:
        model = _model(size)
        mesh = Mesh(dp=n // (tp * pp), tp=tp, pp=pp)
        job = replace(
            _old(model, mesh, batch),
            micro_rows=rows,
            n_chunks=chunks,
            overlap=overlap,
        )
        runs.append(
            Run(
                source="narayanan2021efficient",
                table="table 1",
                chip="a100",
                job=job,
                seconds=seconds_at(_step_flops_again(model, batch), n, tera),
            )
        )
    return runs


def against_zero() -> list[Run]:
    """Return the runs of the same paper's table 2."""
    runs = []
    for size, pp, n, batch, tera in _LARGE:
        mesh = Mesh(dp=n // (8 * pp), tp=8, pp=pp)
        job = replace(_old(_model(size), mesh, batch), overlap=False)
        runs.append(_table_2(job, n, tera, "tp 8 and no chunks"))
    for size, n, batch, rows, tera in _ZERO:
        job = _old(_model(size), Mesh(dp=n), batch)
        job = replace(job, micro_rows=rows, zero=3, precision=MIXED)
        runs.append(_table_2(job, n, tera, ""))
    return runs


def _table_2(job: Job, n_chips: int, tera: int, assumed: str) -> Run:
    flops = _step_flops_again(job.model, job.n_rows)
    return Run(
        source="narayanan2021efficient",
        table="table 2",
        chip="a100",
        job=job,
        seconds=seconds_at(flops, n_chips, tera),
        assumed=assumed,
    )


def recomputation() -> list[Run]:
    """Return the runs of the second paper's table 5, and one of its text."""
    runs = []
    for size, pp, batch, rows, chunks, full, part in _RECOMPUTATION:
        job = replace(
            _old(_model(size), Mesh(tp=8, pp=pp), batch),
            micro_rows=rows,
            n_chunks=chunks,
            overlap=False,
        )
        new = replace(job, recompute="attention", sequence_parallel=True)
        runs += [_table_5(job, full), _table_5(new, part)]
        if size == "529.6B":  # section 6.3
            wide = replace(new, mesh=Mesh(dp=8, tp=8, pp=pp), n_rows=2240)
            runs.append(replace(_table_5(wide, 39.15), table="section 6.3"))
    return runs


def _table_5(job: Job, seconds: float) -> Run:
    return Run(
        source="korthikanti2023reducing",
        table="table 5",
        chip="a100",
        job=job,
        seconds=seconds,
    )


def on_hopper() -> list[Run]:
    """Return the runs of Megatron-LM's README."""
    runs = []
    for name, layers, width, heads, tp, n, tera in _HOPPER:
        model = replace(
            gpt(name, layers, width, heads),
            vocab_size=131_072,
            n_positions=4096,
        )
        job = Job(
            model=model,
            mesh=Mesh(dp=48, tp=tp),
            n_rows=192,
            n_tokens=4096,
            micro_rows=2,
            zero=1,
            overlap_tp=True,
            precision=MIXED_SUMS,
        )
        runs.append(
            Run(
                source="nvidia2024megatron",
                table="README",
                chip="h100",
                job=job,
                seconds=seconds_at(step_flops(model, 192, 4096), n, tera),
                assumed="2 rows at once, no recomputation",
            )
        )
    return runs
