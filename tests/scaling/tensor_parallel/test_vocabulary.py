"""An embedding and a loss cut along the vocabulary."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from scratchlm.scaling.collectives.conjugate import shard_sizes, split_to
from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.tensor_parallel.vocabulary import (
    VocabularyShard,
    first_token,
    loss_of_shards,
    vocabulary_parallel_sum,
)


def drawn(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


def compare(group, vocab_size, scale, targets):
    """Loss and gradients of the shards, and of one process."""
    x = drawn(1, len(targets), 6).requires_grad_()
    weight = (scale * drawn(2, vocab_size, 6)).requires_grad_()
    targets = torch.tensor(targets)
    due = F.cross_entropy(x @ weight.T, targets, reduction="sum")
    due.backward()
    mine = x.detach().requires_grad_()
    shard = split_to(weight.detach(), group, 0).requires_grad_()
    total, count = loss_of_shards(group, vocab_size)(mine, shard, targets)
    total.backward()
    rows = split_to(weight.grad, group, 0)
    torch.testing.assert_close(total, due)
    torch.testing.assert_close(mine.grad, x.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(shard.grad, rows, rtol=1e-4, atol=1e-5)
    assert count == (targets != -100).sum()


@settings(max_examples=12)
@given(
    vocab_size=st.integers(2, 9),
    scale=st.sampled_from([0.0, 1.0, 300.0]),
    data=st.data(),
)
def test_the_loss_is_that_of_all_logits(ranks, vocab_size, scale, data):
    """Exponentials of one rank's maximum instead of all ranks', targets of
    another rank counted as this one's first token, positions that do not
    count, and ranks without any token."""
    one = st.sampled_from([-100, *range(vocab_size)])
    targets = data.draw(st.lists(one, min_size=1, max_size=5))
    if {*targets} == {-100}:
        targets.append(0)
    ranks(3)(compare, vocab_size, scale, targets)


def test_without_a_target_there_is_no_loss_and_no_nan(ranks):
    """A maximum over nothing."""

    def check(group):
        x = drawn(1, 2, 6).requires_grad_()
        weight = drawn(2, 3, 6).requires_grad_()
        total, count = vocabulary_parallel_sum(
            x, weight, torch.tensor([-100, -100]), group=group, vocab_size=6
        )
        total.backward()
        return total.item(), int(count), float(x.grad.abs().sum())

    assert ranks(2)(check) == [(0.0, 0, 0.0)] * 2


def test_no_rank_holds_all_logits(ranks):
    """The memory that the shards were for: a tensor of all V logits."""

    def largest(group):
        seen = []

        class Watch(torch.utils._python_dispatch.TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                if isinstance(out, torch.Tensor):
                    seen.append(out.numel())
                return out

        n, V = 8, 1000
        x, weight = drawn(1, n, 6), drawn(2, V // group.size(), 6)
        with Watch():
            vocabulary_parallel_sum(
                x, weight, torch.arange(n), group=group, vocab_size=V
            )
        return max(seen) / (n * V)

    assert ranks(2)(largest) == [0.5, 0.5]


@pytest.mark.parametrize("vocab_size", [2, 7])
def test_a_token_s_vector_comes_from_whoever_has_it(ranks, vocab_size):
    """Zero for the tokens of other ranks, or row 0 for all of them. With
    three ranks and two tokens one has none."""

    def check(group):
        weight = drawn(0, vocab_size, 4)
        part = nn.Parameter(split_to(weight, group, 0))
        shard = VocabularyShard(part, vocab_size, group)
        tokens = torch.arange(2 * vocab_size).view(2, -1) % vocab_size
        x = shard(tokens)
        assert torch.equal(x, weight[tokens])
        x.sum().backward()
        assert torch.equal(part.grad, torch.full_like(part, 2.0))

    ranks(3)(check)


def test_shards_begin_where_the_last_one_ended(ranks):
    """All ranks begin at r times the same size, and overlap."""
    firsts = ranks(3)(lambda group: first_token(7, group))
    assert firsts == [0, 3, 5]
    assert shard_sizes(7, 3) == [3, 2, 2]


@pytest.mark.parametrize(
    ("token", "kind"), [(-1, "IndexError"), (6, "IndexError")]
)
def test_a_token_of_no_rank_is_refused(token, kind):
    """No rank has it, and its vector is zero."""

    def look(group):
        part = nn.Parameter(torch.zeros(3, 2))
        VocabularyShard(part, 6, group)(torch.tensor([token]))

    with pytest.raises(RankError, match=f"{kind}.*not among 6"):
        run(look, 2)


def test_a_target_of_no_rank_is_refused():
    """No rank has its logit, and the loss is that of a logit of zero."""
    call = partial(
        vocabulary_parallel_sum,
        torch.zeros(1, 2),
        torch.zeros(3, 2),
        torch.tensor([6]),
        vocab_size=6,
    )
    with pytest.raises(RankError, match=r"targets from 6 to 6.* has 6"):
        run(lambda group: call(group=group), 2)
