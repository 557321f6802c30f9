"""The bound of a step, against a count of what the step does."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scratchlm.inference.cache.generate import read, step
from scratchlm.inference.cache.kv_cache import cache_for
from scratchlm.inference.cache.roofline import (
    StepCost,
    read_bandwidth,
    step_cost,
)
from scratchlm.model.attention.core_attention import ScoredAttention


@pytest.mark.parametrize("name", ["rope", "multi-query", "multi-head", "tied"])
def test_operations_are_those_that_pytorch_counts(
    name, variants, build, prompts
):
    """A factor of two, or the cost of a prompt taken for that of a token."""
    config = variants[name]
    # Of PyTorch's own attention its counter knows no kernel for a CPU.
    model = build(replace(config, core=ScoredAttention))
    cache = cache_for(model)
    rows = prompts(config, 9, 9, 9)
    read(model, rows, cache)
    with FlopCounterMode(display=False) as counter:
        step(model, torch.tensor([[1], [2], [3]]), cache)
    flops = step_cost(config, 3, 10, torch.float32).flops
    assert flops == counter.get_total_flops()


def test_bytes_are_weights_once_and_a_cache_for_each_row(
    small, build, prompts
):
    """Weights read for each row; an embedding of which one row is read
    counted in full."""
    model, cache = build(small), cache_for(build(small))
    read(model, prompts(small, 64, 64), cache)
    embedding = model.embedding.tokens.weight.numel()
    norms = model.norm.weight.numel() * (2 * small.n_layers + 1)
    weights = sum(p.numel() for p in model.parameters()) - embedding - norms
    expected = 4 * weights + cache.n_bytes
    assert step_cost(small, 2, 64, torch.float32).n_bytes == expected
    half = step_cost(small, 2, 64, torch.bfloat16)
    assert half.n_bytes == expected / 2


def test_the_slower_of_the_two_decides():
    """Times added up, or the faster one taken."""
    step_of = StepCost(n_bytes=100.0, flops=1000.0)
    assert step_of.intensity == 10
    assert step_of.seconds(bandwidth=10.0, peak=1e9) == 10
    assert step_of.seconds(bandwidth=1e9, peak=10.0) == 100


def test_bandwidth_is_a_rate():
    """Seconds for bytes, or a time that includes making the numbers."""
    rate = read_bandwidth(1 << 22)
    assert 1e8 < rate < 1e13
    with pytest.raises(ValueError, match="n_bytes is 3"):
        read_bandwidth(3)
