"""Bytes that are sent, against the papers' counts."""

from dataclasses import replace

import pytest

from scratchlm.scaling.accounting import (
    MIXED,
    Job,
    Mesh,
    cluster,
    gpt,
    named,
    sent,
    stage_weights,
    transfer_seconds,
)

MODEL = gpt("x", 8, 1024, 16)
JOB = Job(model=MODEL, mesh=Mesh(), n_rows=64, n_tokens=512)


def with_mesh(**sizes):
    changes = {k: sizes.pop(k) for k in list(sizes) if hasattr(JOB, k)}
    return replace(JOB, mesh=Mesh(**sizes), **changes)


def test_one_process_sends_nothing():
    """Traffic with oneself."""
    assert sent(JOB).total == 0


@pytest.mark.parametrize(("zero", "times"), [(0, 2), (1, 2), (2, 2), (3, 3)])
def test_zero_sends_twice_the_model_or_three_times(zero, times):
    """Rajbhandari et al., section 7: stages 1 and 2 send what plain data
    parallelism does, stage 3 half as much again."""
    job = with_mesh(dp=64, zero=zero)
    numbers = stage_weights(job) * 63 / 64
    assert sent(job).dp == pytest.approx(times * 2 * numbers)


def test_fully_sharded_weights_travel_with_each_micro_batch():
    """Accumulation that gathers weights once."""
    once = sent(with_mesh(dp=8, n_rows=8, zero=3)).dp
    assert sent(with_mesh(dp=8, n_rows=64, zero=3)).dp == 8 * once
    plain = sent(with_mesh(dp=8, n_rows=8)).dp
    assert sent(with_mesh(dp=8, n_rows=64)).dp == plain


def test_tensor_parallelism_sums_four_times_a_layer():
    """Shoeybi et al.: two all-reduces forward, two backward; a layer that is
    computed again sums again."""
    stream = 2 * 512 * 1024
    job = with_mesh(tp=4)
    expected = 64 * 8 * 4 * 2 * (3 / 4) * stream
    assert sent(job).tp == pytest.approx(expected)
    again = with_mesh(tp=4, recompute="full")
    assert sent(again).tp == pytest.approx(1.5 * expected)


def test_a_pipeline_sends_less_than_any_other():
    """Activations of every layer, not of one in each stage."""
    job = with_mesh(pp=4)
    assert sent(job).pp == 64 * 2 * 2 * 512 * 1024
    assert sent(with_mesh(pp=4, n_chunks=2)).pp == 2 * sent(job).pp
    assert sent(job).pp < sent(with_mesh(tp=4)).tp / 8


def test_keys_and_values_go_round_once_forward_and_twice_back():
    """A ring that sends all heads where keys are few."""
    model = named("llama3-8b")
    job = replace(JOB, model=model, mesh=Mesh(cp=2), n_rows=1, n_tokens=8192)
    keys = 2 * 4096 * 2 * 8 * 128
    assert sent(job).cp == pytest.approx(32 * 3 * keys)


def test_tokens_go_to_their_experts_and_back():
    """Each token sent once, whatever its number of experts."""
    model = named("mixtral-8x7b")
    job = replace(
        JOB, model=model, mesh=Mesh(dp=8, ep=8), n_rows=8, n_tokens=4096
    )
    stream = 2 * 4096 * 4096
    assert sent(job).ep == pytest.approx(32 * 4 * 2 * stream * 7 / 8)


def test_each_group_has_its_own_link():
    """Gradients over NVLink, or sums of a layer over the network."""
    where = cluster("h100", 64)
    job = with_mesh(dp=8, tp=8, precision=MIXED)
    traffic = sent(job)
    took = transfer_seconds(traffic, job, where)
    assert took.tp == traffic.tp / where.chip.link
    assert took.dp == traffic.dp / where.chip.network
