"""Keys that travel, against one process that has them all."""

import pytest
import torch

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import CAUSAL, Everything, Mask, Window
from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    contiguous,
    positions_of,
    step_scores,
    zigzag,
)
from scratchlm.scaling.context_and_expert_parallel.ring_attention import (
    RingAttention,
)

DOCUMENTS = torch.tensor([[0] * 5 + [1] * 9 + [2] * 2, [0] * 13 + [-1] * 3])
CASES = {
    "causal": (zigzag, CAUSAL, 2, None),
    "one piece each": (contiguous, CAUSAL, 2, None),
    "documents": (zigzag, CAUSAL, 4, DOCUMENTS),
    "window": (zigzag, Window(5), 1, None),
    "everything, documents": (zigzag, Everything(), 2, DOCUMENTS),
}


def draw(n_kv_heads, dtype=torch.float64):
    """Values narrower than keys, and key heads that queries share."""
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 4, 16, 6), (2, n_kv_heads, 16, 6), (2, n_kv_heads, 16, 5))
    return [
        torch.randn(*size, dtype=dtype, generator=generator) for size in sizes
    ]


def compare(group, case, dtype=torch.float64):
    """How far outputs and gradients of this rank's positions are off."""
    layout, mask, n_kv_heads, numbers = case
    documents = None if numbers is None else Documents.of(numbers)
    whole = [x.requires_grad_() for x in draw(n_kv_heads, dtype)]
    due = DotProduct(4, mask=mask, scale=0.7)(*whole, documents)
    weights = torch.randn(
        due.shape, dtype=dtype, generator=torch.Generator().manual_seed(1)
    )
    here = positions_of(layout(16, group.size())[group.rank()])
    parts = [x.detach()[:, :, here].requires_grad_() for x in whole]
    core = RingAttention(group, mask=mask, scale=0.7, layout=layout)
    found = core(*parts, documents)
    (due * weights).sum().backward()
    (found * weights[:, :, here]).sum().backward()
    grads = [(p.grad, w.grad) for p, w in zip(parts, whole, strict=True)]
    return [
        float((a - b[:, :, here]).detach().norm() / b.detach().norm())
        for a, b in [(found, due), *grads]
    ]


@pytest.mark.parametrize("world_size", [2, 4])
def test_outputs_and_gradients_are_those_of_one_process(ranks, world_size):
    """A backward that uses the keys of its first step in all of them; a
    gradient that comes home to the wrong rank; key heads whose gradient is
    that of one query head alone."""

    def check(group):
        return {name: compare(group, case) for name, case in CASES.items()}

    for off in ranks(world_size)(check):
        assert max(map(max, off.values())) < 1e-13, off


def test_three_ranks_and_one(ranks):
    """A ring whose neighbours before and after are one and the same rank,
    or a rank that sends to itself, hides who gets what."""

    def check(group):
        n = 12
        q, k, v = (x[:, :, :n].requires_grad_() for x in draw(2))
        here = positions_of(zigzag(n, group.size())[group.rank()])
        parts = [x.detach()[:, :, here].requires_grad_() for x in (q, k, v)]
        due = DotProduct(4)(q, k, v)
        core = RingAttention(group)
        core(*parts).square().sum().backward()
        grads = torch.autograd.grad(due.square().sum(), (q, k, v))
        for part, grad in zip(parts, grads, strict=True):
            torch.testing.assert_close(part.grad, grad[:, :, here])
        return core.wire.messages

    assert ranks(3)(check) == [2 + 2 + 2] * 3
    assert run(check, 1) == [0]


def test_in_single_precision_only_roundings_differ(ranks):
    """Sums that are kept in fewer bits than they came in."""
    for off in ranks(2)(compare, CASES["documents"], torch.float32):
        assert max(off) < 1e-6


def test_bfloat16_is_summed_in_float32(ranks):
    """Parts that are merged in 8 bits drift with each step."""

    def check(group):
        q, k, v = (x.bfloat16() for x in draw(2))
        here = positions_of(zigzag(16, group.size())[group.rank()])
        found = RingAttention(group)(*(x[:, :, here] for x in (q, k, v)))
        due = DotProduct(4)(q.float(), k.float(), v.float())[:, :, here]
        assert found.dtype == torch.bfloat16
        return float((found - due).norm() / due.norm())

    assert max(ranks(4)(check)) < 4e-3  # half a unit of the last place


def test_work_is_equal_with_zigzag_alone(ranks):
    """A ring that computes what nobody sees: all layouts are equal then, and
    all are slow."""

    def check(group, layout):
        core = RingAttention(group, layout=layout)
        here = positions_of(layout(16, group.size())[group.rank()])
        core(*(x[:, :, here] for x in draw(2)))
        return core.n_scores

    for layout in (zigzag, contiguous):
        due = [sum(c) for c in zip(*step_scores(layout, 16, 4), strict=True)]
        assert ranks(4)(check, layout) == due
    assert ranks(4)(check, zigzag) == [36] * 4
    assert ranks(4)(check, contiguous) == [16, 32, 48, 64]


def test_documents_must_be_those_of_the_whole_row():
    """Each rank gives those of its own positions: documents of unlike ranks
    begin at one place and see each other."""

    def check(group):
        documents = Documents(torch.zeros(2, 8, dtype=torch.int64))
        here = [x[:, :, :8] for x in draw(2)]
        RingAttention(group)(*here, documents)

    with pytest.raises(RankError, match="16 keys, but the documents of 8"):
        run(check, 2)


def test_a_mask_that_is_no_band_is_refused():
    """A mask that knows only rows in one piece."""

    class Odd:
        def hides(self, n_tokens, n_keys):
            return "more"

        def visible(self, n_tokens, n_keys, device):
            return torch.ones(n_tokens, n_keys, dtype=torch.bool)

    assert isinstance(Odd(), Mask)
    with pytest.raises(RankError, match="has no reach"):
        run(lambda group: RingAttention(group, mask=Odd()), 1)
