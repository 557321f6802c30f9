"""Bytes, against papers and against what PyTorch keeps."""

from dataclasses import replace

import pytest
import torch

from scratchlm.model.published import saved_bytes, tiny
from scratchlm.model.transformer import Transformer
from scratchlm.scaling.accounting import (
    FULL,
    MIXED,
    ZERO_TABLE,
    Job,
    Mesh,
    Precision,
    gpt,
    layer_activations,
    memory,
    named,
    shape_of,
    stage_weights,
    state_bytes,
)

GPT3 = gpt("gpt3", 96, 12_288, 96)
OLD = Job(
    model=GPT3,
    mesh=Mesh(),
    n_rows=1,
    n_tokens=2048,
    fused_attention=False,
    sequence_parallel=False,
    dropout=True,
)


@pytest.mark.parametrize("billions", ZERO_TABLE)
@pytest.mark.parametrize("zero", [1, 2, 3])
def test_states_are_those_of_zero_s_table(billions, zero):
    """Gradients that are shared a stage too early, or GiB for GB."""
    for n_ranks, row in ZERO_TABLE[billions].items():
        held = state_bytes(billions * 1e9, n_ranks, zero, MIXED)
        # The table has three digits, and two where it is below one.
        assert sum(held) / 1e9 == pytest.approx(row[zero - 1], rel=0.025)


def test_without_zero_every_rank_holds_all():
    """Sixteen bytes for each parameter, on 64 ranks as on one."""
    assert sum(state_bytes(7.5e9, 64, 0, MIXED)) == 120e9


@pytest.mark.parametrize(
    ("tp", "sequence", "recompute", "factor"),
    [
        (1, False, "none", 34 + 80),
        (8, False, "none", 10 + 24 / 8 + 80 / 8),
        (8, True, "none", 34 / 8 + 80 / 8),
        (8, False, "attention", 10 + 24 / 8),
        (8, True, "attention", 34 / 8),
        (8, False, "full", 2),
    ],
)
def test_activations_are_those_of_korthikanti(tp, sequence, recompute, factor):
    """A mask of one byte counted as two, or norms that tensor parallelism
    was believed to split."""
    job = replace(
        OLD,
        mesh=Mesh(tp=tp),
        sequence_parallel=sequence,
        recompute=recompute,
    )
    found = layer_activations(job) / (2048 * 12_288)
    assert found == pytest.approx(factor, rel=1e-9)


def test_what_selective_recomputation_saves():
    """Korthikanti et al. publish 70 % for GPT-3 and 65 % for 530B."""
    for model, saved in ((GPT3, 0.70), (gpt("x", 105, 20_480, 128), 0.65)):
        job = replace(OLD, model=model)
        kept = layer_activations(job, "attention") / layer_activations(job)
        assert 1 - kept == pytest.approx(saved, abs=0.01)


def tiny_job(precision, **changes):
    return Job(
        model=shape_of(tiny(128)),
        mesh=Mesh(),
        n_rows=4,
        n_tokens=256,
        micro_rows=4,
        precision=precision,
        **changes,
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_activations_are_those_that_pytorch_keeps(dtype):
    """A tensor that autograd keeps and the formula forgot."""
    model = Transformer(tiny(128)).to(dtype)
    tokens = torch.randint(4096, (4, 256))
    precision = replace(FULL, activations=dtype.itemsize)
    job = tiny_job(precision)
    layers = job.model.n_layers * layer_activations(job)
    size = dtype.itemsize * 4 * 256
    # Outside of the layers: the last norm, the head's input, and of the
    # logits the logarithm of their softmax.
    expected = layers + size * (2 * 128 + 4096)
    assert saved_bytes(model, tokens) == pytest.approx(expected, rel=0.05)


def test_states_are_those_that_a_step_leaves():
    """A moment that the optimizer keeps and nobody counted."""
    model = Transformer(tiny(64))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 8, dtype=torch.long)).sum().backward()
    optimizer.step()
    kept = [
        tensor
        for state in optimizer.state.values()
        for tensor in state.values()
        if tensor.ndim
    ]
    kept += [p.grad for p in model.parameters()]
    found = sum(t.nbytes for t in [*kept, *model.parameters()])
    shape = shape_of(tiny(64))
    assert found == sum(state_bytes(shape.n_weights, 1, 0, FULL))


def test_full_recomputation_keeps_inputs_and_one_layer():
    """The layer that is computed again left out of the peak."""
    job = replace(tiny_job(FULL), logit_bytes=0)
    again = replace(job, recompute="full")
    kept = memory(again)
    assert kept.activations == job.model.n_layers * 4 * 1024 * 128
    alone = layer_activations(job) - 4 * 1024 * 128
    assert kept.working == pytest.approx(alone)


def test_recomputation_saves_in_this_order():
    """A kind of recomputation that keeps more than none at all."""
    job = Job(model=named("llama3-8b"), mesh=Mesh(), n_rows=1, n_tokens=8192)
    kept = [layer_activations(job, how) for how in ("none", "products")]
    kept.append(layer_activations(job, "full"))
    assert kept == sorted(kept, reverse=True)
    assert kept[2] == 2 * 8192 * 4096


def test_a_pipeline_cuts_weights_and_not_activations():
    """Korthikanti's equation 5: the first stage holds L layers' worth."""
    job = replace(OLD, n_rows=64, recompute="attention")
    whole = memory(job)
    staged = memory(replace(job, mesh=Mesh(pp=8)))
    assert staged.activations == pytest.approx(whole.activations)
    assert staged.weights < whole.weights / 7


def test_experts_are_spread_over_copies_of_the_rest():
    """Experts that are divided by ep and then once more by all ranks."""
    model = named("mixtral-8x7b")
    job = Job(model=model, mesh=Mesh(dp=8), n_rows=8, n_tokens=4096)
    spread = replace(job, mesh=Mesh(dp=8, ep=8))
    experts = 7 * model.n_layers * model.expert_weights
    assert stage_weights(job) - stage_weights(spread) == experts
    # Fully sharded, each rank holds an eighth of all either way.
    states = [memory(replace(each, zero=3)).states for each in (job, spread)]
    assert states[0] == pytest.approx(states[1])


def test_the_fullest_device_may_be_the_last():
    """Logits that no stage holds."""
    job = Job(
        model=named("llama3-8b"),
        mesh=Mesh(pp=2),
        n_rows=32,
        n_tokens=8192,
        micro_rows=16,
        recompute="full",
        precision=Precision(weights=1, gradients=1, optimizer=1),
    )
    assert memory(job).logits > memory(job).activations > 0


def test_parts_add_up_to_the_total():
    """Fragmentation of a part of the bytes."""
    found = memory(OLD)
    parts = vars(found)
    assert found.total == pytest.approx(sum(parts.values()))
    assert found.fragmentation == pytest.approx(0.05 * found.total / 1.05)
