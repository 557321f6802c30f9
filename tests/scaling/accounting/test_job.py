"""Errors name the number and the remedy."""

from dataclasses import replace

import pytest

from scratchlm.scaling.accounting import (
    MIXED,
    Job,
    Mesh,
    Uneven,
    check,
    named,
)

LLAMA = named("llama3-8b")
JOB = Job(model=LLAMA, mesh=Mesh(dp=8), n_rows=64, n_tokens=8192)


def job(mesh, **changes):
    return replace(JOB, mesh=mesh, **changes)


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        (job(Mesh(dp=4)), "world", "4 processes for 8 chips; make dp 8"),
        (job(Mesh(dp=2, tp=3)), "world", "whose product divides 8"),
        (
            replace(job(Mesh(tp=8)), model=named("qwen3-0.6b"), n_tokens=8),
            None,
            "",
        ),
        (
            replace(job(Mesh(tp=8)), model=named("gpt2-124m")),
            "heads",
            "12 query heads, which tp 8 does not divide; give tp a divisor",
        ),
        (
            replace(job(Mesh(tp=8)), model=named("qwen3-0.6b"), n_rows=8),
            None,
            "",
        ),
        (job(Mesh(dp=8, ep=8)), "experts", "0 experts, which ep 8"),
        (
            replace(job(Mesh(pp=8)), model=named("llama3-70b"), n_chunks=4),
            "layers",
            "80 layers, which pp 8 times 4 chunks does not divide, nor 82",
        ),
        (
            job(Mesh(dp=8), n_rows=60),
            "rows",
            "n_rows is 60, which dp 8 times micro_rows 1 .*multiple of 8",
        ),
        (
            job(Mesh(dp=2, pp=4), n_rows=6),
            "stages",
            "3 micro-batches for 4 stages .*raise n_rows to 8",
        ),
        (
            job(Mesh(cp=8), n_tokens=8190),
            "positions",
            "n_tokens is 8190, which cp 8 times tp 1",
        ),
    ],
)
def test_what_does_not_come_out_even(given, reason, message):
    """A job that a planner prices and no library can start."""
    if reason is None:
        check(given, 8)
        return
    with pytest.raises(Uneven, match=message) as caught:
        check(given, 8)
    assert caught.value.reason == reason


def test_fewer_key_heads_than_parts():
    """Query heads that divide, and key heads that do not."""
    wide = replace(job(Mesh(tp=16)), n_rows=16)
    with pytest.raises(Uneven, match="8 key and value heads, which tp 16"):
        check(wide, 16)


def test_embedding_and_head_may_stand_for_a_layer_each():
    """Llama 3 405B's 126 layers on 16 stages, which Meta trained."""
    meta = Job(
        model=named("llama3-405b"),
        mesh=Mesh(dp=1, tp=8, pp=16),
        n_rows=32,
        n_tokens=8192,
    )
    check(meta, 128)
    assert meta.stage_layers == 8


def test_a_size_below_one_and_a_stage_that_is_none():
    """A mesh of zero processes divides everything."""
    with pytest.raises(ValueError, match="tp is 0"):
        Mesh(tp=0)
    with pytest.raises(ValueError, match="ep is 3, which does not divide"):
        Mesh(dp=4, ep=3)
    with pytest.raises(ValueError, match="zero is 4"):
        check(replace(JOB, zero=4), 8)
    with pytest.raises(ValueError, match="recompute is 'some'"):
        check(replace(JOB, recompute="some"), 8)


def test_pieces_of_a_step():
    """Micro-batches counted over all processes instead of one."""
    given = job(Mesh(dp=4, cp=2), micro_rows=2)
    assert given.n_micro == 8
    assert given.micro_tokens == 8192
    assert str(given.mesh) == "dp 4 × cp 2"
    assert str(Mesh()) == "one process"
    assert MIXED.state == 16


def test_a_first_stage_holds_a_micro_batch_for_each_stage():
    """Activations of one micro-batch where a pipeline holds several."""
    assert job(Mesh(pp=8)).in_flight == 8
    assert job(Mesh(dp=8)).in_flight == 1
    assert job(Mesh(pp=8), n_chunks=2).in_flight == 8 + 7 / 2
    # No more than there are.
    assert job(Mesh(pp=8), n_rows=8, n_chunks=2).in_flight == 8
