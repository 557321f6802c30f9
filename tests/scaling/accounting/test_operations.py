"""Operations, against those that PyTorch counts."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from scratchlm.model.attention import ScoredAttention
from scratchlm.model.published import (
    flops_per_token,
    llama3,
    mixtral,
    tiny,
    with_definitions,
)
from scratchlm.model.transformer import Transformer
from scratchlm.scaling.accounting import (
    FULL,
    Job,
    Mesh,
    forward,
    gpt,
    model_flops,
    named,
    shape_of,
    stage_work,
)
from scratchlm.scaling.accounting.operations import again, update


def small(**changes):
    job = Job(
        model=shape_of(tiny(128)),
        mesh=Mesh(),
        n_rows=2,
        n_tokens=64,
        micro_rows=2,
        # PyTorch's counter takes no notice of masks.
        fused_attention=False,
        precision=FULL,
    )
    return replace(job, **changes)


def test_a_step_has_the_operations_that_pytorch_counts():
    """A factor of two, one gradient of two, or a head that is not there."""
    # Of PyTorch's own attention its counter knows no kernel for a CPU.
    config = replace(tiny(128), core=ScoredAttention)
    model = Transformer(with_definitions(config))
    tokens = torch.randint(4096, (2, 64))
    with FlopCounterMode(display=False) as counter:
        logits = model(tokens)
        F.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
    counted = counter.get_total_flops()
    work = stage_work(small(), small().model.n_layers, True)
    assert counted == work.flops


@pytest.mark.parametrize("config", [tiny(128), llama3("8B"), mixtral("8x7B")])
def test_the_model_s_operations_are_the_book_s(config):
    """Two chapters that count one model and disagree."""
    expected = flops_per_token(config, 1024).training
    assert model_flops(shape_of(config), 1024) == pytest.approx(expected)


def test_full_recomputation_costs_one_more_forward_pass():
    """Recomputation for nothing, or for the price of a backward pass."""
    base = small()
    full = small(recompute="full")
    extra = stage_work(full, 1, False).flops - stage_work(base, 1, False).flops
    assert extra == pytest.approx(forward(base).flops)
    assert again(base).flops == 0
    part = again(small(recompute="products")).flops / forward(base).flops
    assert 0.2 < part < 0.5


def test_what_recomputing_attention_costs():
    """Korthikanti et al. write that both products of attention are computed
    once more, which are T / 18 D of all operations. Their equation 8 and
    their 2.7 % for GPT-3 have three times that."""
    job = small(
        model=gpt("x", 96, 12_288, 96), n_tokens=2048, recompute="attention"
    )
    whole = stage_work(replace(job, recompute="none"), 96, True)
    extra = 96 * again(job).flops / whole.flops
    assert extra == pytest.approx(0.027 / 3, rel=0.01)


def test_a_kernel_skips_what_the_mask_hides_and_moves_no_scores():
    """Scores that stay in a kernel and are paid for in memory traffic."""
    plain, fused = small(), small(fused_attention=True)
    assert forward(fused).flops < forward(plain).flops
    assert forward(fused).moved < forward(plain).moved


def test_separate_operations_move_more():
    """A compiled model and an eager one that move the same bytes."""
    assert forward(small(fused=False)).moved > 1.5 * forward(small()).moved


def test_norms_are_shared_only_by_sequence_parallelism():
    """Tensor parallelism that divides what every part does for itself."""
    job = small(mesh=Mesh(tp=2), model=named("llama3-8b"))
    alone = replace(job, sequence_parallel=False)
    one = replace(job, mesh=Mesh())
    assert forward(job).moved == pytest.approx(forward(one).moved / 2)
    assert forward(alone).moved > forward(job).moved
    assert forward(alone).flops == forward(job).flops


def test_ranks_that_share_an_optimizer_share_its_work():
    """Each rank updating all weights under ZeRO."""
    job = small(mesh=Mesh(dp=2))
    shared = replace(job, zero=1)
    assert update(job).moved == 2 * update(shared).moved
