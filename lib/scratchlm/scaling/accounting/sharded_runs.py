"""What others published: Llama 3, MosaicML, torchtitan and picotron."""

from collections.abc import Iterator
from dataclasses import replace

from scratchlm.scaling.accounting.job import (
    CAST,
    MIXED,
    MIXED_SUMS,
    Job,
    Mesh,
)
from scratchlm.scaling.accounting.model_shape import gpt, named
from scratchlm.scaling.accounting.operations import model_flops
from scratchlm.scaling.accounting.published_run import GIB, Run, seconds_at

# Llama Team 2024, table 4: chips, cp, dp, tokens of a row, rows for each
# data parallel process, TFLOP/s per chip. tp 8 and pp 16.
_LLAMA3 = (
    (8192, 1, 64, 8192, 32, 430),
    (16_384, 1, 128, 8192, 16, 400),
    (16_384, 16, 8, 131_072, 16, 380),
)

_MPT = {
    "1b": (24, 2048, 16),
    "3b": (32, 2560, 20),
    "7b": (32, 4096, 32),
    "13b": (40, 5120, 40),
    "30b": (48, 7168, 56),
    "70b": (80, 8192, 64),
}

# MosaicML 2023, all rows of 2,048 tokens in bfloat16: size, chips, rows of a
# micro-batch, rows of a step, tokens/s per chip. Sizes from 30b on recompute,
# and 13b where it reads 16 rows at once.
_MPT_H100 = (
    ("70b", 512, 8, 4096, 1007),
    ("70b", 256, 8, 2048, 1035),
    ("70b", 128, 8, 1024, 1058),
    ("30b", 512, 8, 4096, 2115),
    ("30b", 256, 8, 2048, 2148),
    ("30b", 128, 8, 1024, 2199),
    ("13b", 512, 16, 8192, 4952),
    ("13b", 256, 16, 4096, 4989),
    ("13b", 128, 16, 2048, 5080),
    ("7b", 512, 6, 3072, 9670),
    ("7b", 256, 6, 1536, 10_119),
    ("7b", 128, 6, 768, 10_475),
    ("3b", 512, 8, 4096, 21_664),
    ("3b", 256, 8, 2048, 22_772),
    ("3b", 128, 8, 1024, 23_422),
    ("1b", 512, 12, 6144, 39_837),
    ("1b", 256, 12, 3072, 42_555),
    ("1b", 128, 12, 1536, 44_123),
    ("70b", 64, 8, 2048, 1039),
    ("70b", 32, 2, 1024, 882),
    ("30b", 32, 14, 1344, 2308),
    ("30b", 16, 10, 480, 2263),
    ("30b", 8, 3, 504, 2002),
    ("13b", 64, 2, 128, 4800),
    ("13b", 32, 2, 64, 4811),
    ("13b", 16, 2, 32, 4767),
    ("13b", 8, 2, 16, 4792),
    ("7b", 8, 6, 48, 10_643),
    ("3b", 64, 6, 1152, 22_525),
    ("3b", 32, 6, 576, 23_021),
    ("3b", 16, 10, 480, 24_142),
    ("1b", 64, 20, 1280, 44_402),
    ("1b", 32, 20, 640, 45_130),
    ("1b", 16, 20, 320, 46_037),
    ("1b", 8, 14, 112, 45_455),
)
_MPT_A100 = (
    ("70b", 64, 8, 2048, 410),
    ("70b", 32, 2, 1024, 373),
    ("30b", 8, 3, 504, 916),
    ("13b", 8, 2, 48, 2262),
    ("7b", 8, 6, 96, 4641),
    ("3b", 8, 10, 160, 10_811),
    ("1b", 8, 14, 448, 20_513),
)

# torchtitan, December 2024, tables 1 and 3: chips, compiled, tokens/s per
# chip, GiB. Two rows of 8,192 tokens for each.
_TITAN = (
    (8, False, 5762, 82.4),
    (8, True, 6667, 77.0),
    (128, False, 5605, 67.0),
    (128, True, 6514, 62.0),
)
# Tables 1, 2 and 3, with products in float8: dp, cp, tokens of a row, rows,
# recomputation and GiB.
_TITAN_FLOAT8 = (
    (8, 1, 8192, 2, "products", 76.8),
    (128, 1, 8192, 2, "products", 61.8),
    (8, 1, 32_768, 1, "full", 83.9),
    (4, 2, 65_536, 1, "full", 84.2),
    (2, 4, 131_072, 1, "full", 84.0),
    (1, 8, 262_144, 1, "full", 84.5),
)


def llama3() -> Iterator[Run]:
    """Yield the three stages of Llama 3's pre-training."""
    model = named("llama3-405b")
    for n, cp, dp, n_tokens, rows, tera in _LLAMA3:
        n_rows = dp * rows
        job = Job(
            model=model,
            mesh=Mesh(dp=dp, tp=8, pp=16, cp=cp),
            n_rows=n_rows,
            n_tokens=n_tokens,
            zero=2,
            n_chunks=8,
            precision=MIXED_SUMS,
        )
        flops = n_rows * n_tokens * model_flops(model, n_tokens)
        yield Run(
            source="grattafiori2024llama",
            table="table 4",
            chip="h100",
            job=job,
            seconds=seconds_at(flops, n, tera),
            assumed="chunks of one layer, scores counted under the mask",
        )


def mpt() -> Iterator[Run]:
    """Yield MosaicML's runs with fully sharded data parallelism."""
    tables = {"h100": _MPT_H100, "a100": _MPT_A100}
    models = {
        size: replace(gpt(f"mpt-{size}", *sizes), vocab_size=50_368)
        for size, sizes in _MPT.items()
    }
    for chip, table in tables.items():
        for size, n, rows, n_rows, speed in table:
            again = size in ("30b", "70b") or (size, rows) == ("13b", 16)
            # Small models at scale share gradients and keep weights.
            kept = chip == "h100" and size in ("1b", "3b") and n >= 128
            pure = chip == "a100" and size == "70b"
            job = Job(
                model=models[size],
                mesh=Mesh(dp=n),
                n_rows=n_rows,
                n_tokens=2048,
                micro_rows=rows,
                zero=2 if kept else 3,
                recompute="full" if again else "none",
                fused=False,
                precision=MIXED if pure else CAST,
            )
            yield Run(
                source="mosaicml2023foundry",
                table=f"{chip} table",
                chip=chip,
                job=job,
                seconds=n_rows * 2048 / (n * speed),
            )


def torchtitan() -> Iterator[Run]:
    """Yield torchtitan's runs of Llama 3.1 8B."""
    base = Job(
        model=named("llama3-8b"),
        mesh=Mesh(dp=8),
        n_rows=16,
        n_tokens=8192,
        micro_rows=2,
        zero=3,
        recompute="products",
        precision=CAST,
    )
    for n, compiled, speed, gib in _TITAN:
        yield Run(
            source="liang2025torchtitan",
            table="benchmarks, tables 1 and 3",
            chip="h100-500w",
            job=replace(base, mesh=Mesh(dp=n), n_rows=2 * n, fused=compiled),
            seconds=2 * 8192 / speed,
            memory=gib * GIB,
        )
    for dp, cp, n_tokens, rows, recompute, gib in _TITAN_FLOAT8:
        job = replace(base, mesh=Mesh(dp=dp, cp=cp), n_rows=dp * rows)
        yield Run(
            source="liang2025torchtitan",
            table="benchmarks, tables 1 to 3",
            chip="h100-500w",
            job=replace(
                job, n_tokens=n_tokens, micro_rows=rows, recompute=recompute
            ),
            memory=gib * GIB,
        )


def torchtitan_large() -> Iterator[Run]:
    """Yield torchtitan's runs with tensor and pipeline parallelism."""
    base = Job(
        model=named("llama3-70b"),
        mesh=Mesh(dp=32, tp=8),
        n_rows=512,
        n_tokens=8192,
        micro_rows=16,
        zero=3,
        recompute="full",
        precision=CAST,
    )
    small = replace(
        base,
        model=named("llama3-8b"),
        mesh=Mesh(dp=8, tp=8),
        n_rows=96,
        micro_rows=12,
        recompute="products",
    )
    huge = replace(
        base,
        model=named("llama3-405b"),
        mesh=Mesh(dp=8, tp=8, pp=8),
        n_rows=256,
        micro_rows=4,
    )
    run = Run(
        source="liang2025torchtitan",
        table="benchmarks, asynchronous tensor parallelism",
        chip="h100-500w",
        job=base,
    )
    # 16 and 12 rows for each group of 8 chips.
    yield replace(run, seconds=16 * 8192 / 8 / 597.3)
    yield replace(run, job=small, seconds=12 * 8192 / 8 / 4378)
    run = replace(run, table="benchmarks, tables 4 and 5")
    yield replace(run, memory=71.9 * GIB)
    yield replace(run, job=huge, memory=82.5 * GIB, assumed="8 micro-batches")


def picotron() -> Run:
    """Return the one run of picotron's README."""
    model, n_tokens = named("llama2-7b"), 1024
    job = Job(
        model=model,
        mesh=Mesh(dp=16, tp=2, pp=2),
        n_rows=2048,
        n_tokens=n_tokens,
        micro_rows=4,
        fused=False,
    )
    flops = 2048 * n_tokens * model_flops(model, n_tokens)
    return Run(
        source="zhao2025picotron",
        table="README",
        chip="h100",
        job=job,
        # It publishes 38 % of the peak, 989.4 TFLOP/s.
        seconds=seconds_at(flops, 64, 0.38 * 989.4),
        assumed="mesh, rows and length of the README's example",
    )
