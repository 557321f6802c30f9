"""Bytes by formula, against bytes that ranks count."""

from dataclasses import replace

import pytest
import torch

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.scaling.accounting.job import Job, Mesh
from scratchlm.scaling.accounting.model_shape import named
from scratchlm.scaling.accounting.traffic import sent
from scratchlm.scaling.context_and_expert_parallel.ring_attention import (
    RingAttention,
)
from scratchlm.scaling.context_and_expert_parallel.traffic import (
    AttentionShape,
    dispatch_bytes,
    ring_bytes,
    ulysses_bytes,
)
from scratchlm.scaling.context_and_expert_parallel.ulysses import Ulysses


def shape(size, n_kv_heads):
    return AttentionShape(
        n_rows=2,
        n_tokens=24,
        n_heads=6,
        n_kv_heads=n_kv_heads,
        d_head=8,
        size=size,
        width=4,
    )


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("n_kv_heads", [1, 6])
def test_bytes_are_what_ranks_count(ranks, size, n_kv_heads):
    """A step too many, or gradients that nobody counted."""

    def check(group):
        each = 24 // group.size()
        q, k, v = (
            torch.randn(2, n, each, 8, requires_grad=True)
            for n in (6, n_kv_heads, n_kv_heads)
        )
        ring, ulysses = RingAttention(group), Ulysses(group, DotProduct(6))
        y = ring(q, k, v)
        forward = ring.wire.sent
        y.sum().backward()
        ulysses(q, k, v)
        return forward, ring.wire.sent - forward, ulysses.sent

    of = shape(size, n_kv_heads)
    due = (*ring_bytes(of), ulysses_bytes(of)[0])
    assert ranks(size)(check) == [due] * size


def test_gradients_of_narrow_keys_travel_in_32_bits(ranks):
    """Sums that each rank on their way rounds to 16 bits lose digits."""

    def check(group):
        q, k, v = (
            torch.randn(2, 2, 12, 8, dtype=torch.bfloat16, requires_grad=True)
            for _ in range(3)
        )
        ring = RingAttention(group)
        y = ring(q, k, v)
        forward = ring.wire.sent
        y.sum().backward()
        return forward, ring.wire.sent - forward

    forward, _ = ring_bytes(replace(shape(2, 2), width=2))
    assert ranks(2)(check) == [(forward, 3 * forward)] * 2


def test_the_planner_counts_the_same_ring():
    """Two formulas for one thing, which drift apart."""
    model = named("llama3-8b")
    job = Job(
        model=model,
        mesh=Mesh(cp=4),
        n_tokens=8192,
        n_rows=1,
    )
    of = AttentionShape(
        n_rows=1,
        n_tokens=8192,
        n_heads=model.n_heads,
        n_kv_heads=model.n_kv_heads,
        d_head=model.d_head,
        size=4,
        width=2,
    )
    assert sent(job).cp == model.n_layers * sum(ring_bytes(of))


def test_a_single_rank_sends_nothing():
    """(W - 1) / W of nothing."""
    of = shape(1, 2)
    assert ring_bytes(of) == ulysses_bytes(of) == (0, 0)
    assert dispatch_bytes(8, 16, top_k=2, size=1, width=4) == 0
