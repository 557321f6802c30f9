"""Heads for positions and back, against one process."""

import pytest
import torch

from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.documents import Documents
from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    contiguous,
    positions_of,
    zigzag,
)
from scratchlm.scaling.context_and_expert_parallel.ulysses import Ulysses

DOCUMENTS = torch.tensor([[0] * 5 + [1] * 7, [0] * 10 + [-1] * 2])


def draw(n_heads, n_kv_heads):
    generator = torch.Generator().manual_seed(0)
    sizes = ((n_heads, 6), (n_kv_heads, 6), (n_kv_heads, 5))
    return [
        torch.randn(2, n, 12, d, dtype=torch.float64, generator=generator)
        for n, d in sizes
    ]


def compare(group, n_heads, n_kv_heads, layout, core):
    documents = Documents.of(DOCUMENTS)
    whole = [x.requires_grad_() for x in draw(n_heads, n_kv_heads)]
    here = positions_of(layout(12, group.size())[group.rank()])
    parts = [x.detach()[:, :, here].requires_grad_() for x in whole]
    due = core(*whole, documents)
    found = Ulysses(group, core, layout=layout)(*parts, documents)
    weights = torch.randn(
        due.shape, dtype=due.dtype, generator=torch.Generator().manual_seed(1)
    )
    (due * weights).sum().backward()
    (found * weights[:, :, here]).sum().backward()
    grads = [(p.grad, w.grad) for p, w in zip(parts, whole, strict=True)]
    return max(
        float((a - b[:, :, here]).detach().abs().max())
        for a, b in [(found, due), *grads]
    )


@pytest.mark.parametrize(
    ("world_size", "n_heads", "n_kv_heads"),
    [(2, 4, 2), (2, 4, 1), (2, 6, 3), (3, 6, 2), (3, 6, 6)],
)
def test_outputs_and_gradients_are_those_of_one_process(
    ranks, world_size, n_heads, n_kv_heads
):
    """Positions that are left in the order of ranks, which a causal core
    takes for the true one; queries that meet another group's keys when key
    heads are fewer than ranks; a copied head whose gradient is one copy's."""

    def check(group):
        return [
            compare(group, n_heads, n_kv_heads, layout, core)
            for layout in (contiguous, zigzag)
            for core in (DotProduct(1), Softcapped(1, cap=2.0))
        ]

    for off in ranks(world_size)(check):
        assert max(off) < 1e-13


def test_heads_that_do_not_divide_are_refused():
    """The last heads belong to nobody, or the all-to-all fails far away."""

    def check(group):
        parts = [x[:, :, :6] for x in draw(3, 1)]
        Ulysses(group, DotProduct(3))(*parts)

    with pytest.raises(RankError, match=r"3 query heads .* 2 ranks.*a ring"):
        run(check, 2)
