"""Seconds of a step, term by term."""

from dataclasses import replace

import pytest

from scratchlm.scaling.accounting import (
    FULL,
    Job,
    Mesh,
    Uneven,
    cluster,
    model_flops,
    named,
    plan,
)

LLAMA = named("llama3-8b")
JOB = Job(model=LLAMA, mesh=Mesh(dp=8), n_rows=64, n_tokens=8192, zero=3)
NODE = cluster("h100", 8)


def test_the_parts_add_up_to_the_step():
    """A term that is shown and not counted, or counted twice."""
    found = plan(JOB, NODE)
    parts = found.compute + found.exposed.total + found.bubble + found.update
    assert found.seconds == pytest.approx(parts)
    tokens = 64 * 8192 / found.seconds / 8
    assert found.tokens_per_second == pytest.approx(tokens)
    peak = NODE.chip.peak("bfloat16")
    flops = model_flops(LLAMA, 8192)
    assert found.utilization == pytest.approx(tokens * flops / peak)


@pytest.mark.parametrize(("pp", "chunks"), [(2, 1), (4, 1), (8, 1), (4, 2)])
def test_the_bubble_is_that_of_the_paper(pp, chunks):
    """Narayanan et al.: (p - 1) / (v m) of the rest."""
    mesh = Mesh(dp=8 // pp, pp=pp)
    job = replace(JOB, mesh=mesh, n_chunks=chunks, zero=0)
    found = plan(job, NODE)
    moving = found.compute + found.exposed.pp
    share = (pp - 1) / (chunks * job.n_micro)
    assert found.bubble == pytest.approx(share * moving)


def test_more_micro_batches_shrink_the_bubble():
    """A bubble that grows with the batch."""
    job = replace(JOB, mesh=Mesh(pp=8))
    small, large = (plan(replace(job, n_rows=n), NODE) for n in (16, 128))
    shares = [p.bubble / p.seconds for p in (small, large)]
    assert shares[1] < shares[0] / 3


def test_recomputation_is_time_and_no_work():
    """MFU that counts work twice."""
    plain = plan(JOB, NODE)
    again = plan(replace(JOB, recompute="full"), NODE)
    assert 1.2 < again.seconds / plain.seconds < 1.4
    assert again.utilization < plain.utilization


def test_gradients_hide_behind_the_backward_pass():
    """Traffic counted in full, or not at all where it is too much."""
    far = cluster("h100", 64)
    job = replace(JOB, mesh=Mesh(dp=8, tp=8), zero=0)
    shown = plan(replace(job, overlap=False), far).exposed.dp
    hidden = plan(job, far).exposed.dp
    assert 0 <= hidden < shown
    # One row of few tokens is too little to hide them behind.
    short = replace(job, n_rows=8, n_tokens=64)
    assert plan(short, far).exposed.dp > 0


def test_partial_sums_are_waited_for():
    """Tensor parallelism that costs nothing."""
    job = replace(JOB, mesh=Mesh(tp=8), zero=0)
    assert plan(job, NODE).exposed.tp > 0
    assert plan(replace(job, overlap_tp=True), NODE).exposed.tp == 0


def test_the_slowest_stage_sets_the_pace():
    """Layers shared out by their mean where one stage has more."""
    big = replace(
        JOB, model=named("llama3-405b"), mesh=Mesh(tp=8, pp=16), zero=0
    )
    where = cluster("h100", 128)
    found = plan(big, where)
    # 8 layers and not 126 / 16 of them.
    flops = model_flops(big.model, 8192) * 64 * 8192
    rate = where.chip.peak("bfloat16") * where.chip.kernel_rate
    assert found.compute > flops / (128 * rate)


def test_few_tokens_are_bound_by_reading_weights():
    """A product of one row at the speed of one of thousands."""
    one = replace(JOB, mesh=Mesh(), n_rows=1, n_tokens=8, zero=0)
    alone = cluster("h100", 1)
    long = plan(replace(one, n_tokens=8192), alone).compute / 8192
    assert plan(one, alone).compute / 8 > 10 * long


def test_a_type_that_a_chip_has_not():
    """A plan in float8 for a chip without it."""
    job = replace(JOB, precision=replace(FULL, dtype="float8"))
    with pytest.raises(ValueError, match="a100 multiplies no float8"):
        plan(job, cluster("a100", 8))
    with pytest.raises(Uneven, match="16 chips"):
        plan(JOB, cluster("h100", 16))


def test_what_fits():
    """A plan for more memory than a device has."""
    assert plan(JOB, NODE).fits
    assert not plan(replace(JOB, zero=0), NODE).fits
