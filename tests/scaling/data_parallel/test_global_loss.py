"""No split into ranks and micro-batches changes the loss or a gradient."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from scratchlm.scaling.collectives.local import Ranks
from scratchlm.scaling.data_parallel.data_parallel import DataParallel
from scratchlm.scaling.data_parallel.global_loss import (
    rank_rows,
    sum_gradients,
    sum_over_ranks,
)
from scratchlm.training.objective.loss import Loss
from scratchlm.training.pretraining.micro_batches import TokenBatch

N_ROWS, N_TOKENS, VOCABULARY = 7, 3, 5


def objective(model, batch):
    logits = model(batch.tokens)
    nats = F.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), reduction="sum"
    )
    return Loss(nats, (batch.targets != -100).sum())


def bigram():
    torch.manual_seed(0)
    return nn.Embedding(VOCABULARY, VOCABULARY, dtype=torch.float64)


def rows_of(batch, some):
    return TokenBatch(batch.tokens[some], batch.targets[some])


def split(group, batch, shares, n_micro):
    """Loss and gradient of rows that are shared out as told."""
    model = bigram()
    parallel = DataParallel(model, group)
    some = shares[group.rank()]
    rows = rows_of(batch, some) if some else None
    parts = min(n_micro[group.rank()], max(1, len(some)))
    loss = sum_gradients(parallel, objective, rows, n_micro=parts)
    return float(loss.total), int(loss.count), model.weight.grad


@st.composite
def splits(draw):
    """A rank for each row, parts for each rank, and which targets count."""
    where = draw(st.lists(st.integers(0, 2), min_size=N_ROWS, max_size=N_ROWS))
    shares = [[i for i, w in enumerate(where) if w == r] for r in range(3)]
    n_micro = draw(st.tuples(*[st.integers(1, 4)] * 3))
    counted = draw(
        st.lists(
            st.booleans(),
            min_size=N_ROWS * N_TOKENS,
            max_size=N_ROWS * N_TOKENS,
        )
    )
    return shares, n_micro, counted


@settings(max_examples=40)
@given(splits())
def test_no_split_changes_the_loss_or_a_gradient(ranks, drawn):
    """A mean of means, of ranks or of micro-batches; a rank without rows, or
    without a valid token, that hangs the others or makes the loss NaN."""
    shares, n_micro, counted = drawn
    draws = torch.Generator().manual_seed(0)
    shape = (N_ROWS, N_TOKENS)
    tokens = torch.randint(VOCABULARY, shape, generator=draws)
    targets = torch.randint(VOCABULARY, shape, generator=draws)
    targets = targets.where(torch.tensor(counted).view(shape), -100)
    batch = TokenBatch(tokens, targets)
    model = bigram()
    whole = objective(model, batch)
    if any(counted):
        whole.mean().backward()
    for total, count, gradient in ranks(3)(split, batch, shares, n_micro):
        assert count == sum(counted)
        assert total == pytest.approx(float(whole.total.detach()), rel=1e-6)
        if not any(counted):
            assert gradient is None
        else:
            assert torch.allclose(gradient, model.weight.grad, rtol=1e-12)


def accumulated(group, tools, config, n_micro):
    """The gradient of sixteen rows, in parts on each rank."""
    model = tools.build(config)
    batch = tools.draw_rows(config, n_rows=16)
    parallel = DataParallel(model, group)
    rows = rank_rows(batch, group)
    loss = sum_gradients(parallel, tools.objective, rows, n_micro=n_micro)
    return float(loss.mean()), tools.gradients(model)


def test_eight_parts_are_as_good_as_one(ranks, tools, small):
    """Accumulation that divides by the number of parts: 1 x 8 is not 8 x 1
    as soon as parts have unlike counts."""
    run = partial(ranks(2), accumulated, tools, small)
    mean, expected = run(1)[0]
    for n_micro in (2, 8):
        for other, found in run(n_micro):
            assert other == pytest.approx(mean, rel=1e-6)
            assert tools.farthest(found, expected) < 1e-6


def own_rows(group, n_rows):
    tokens = torch.arange(n_rows)[:, None]
    return rank_rows(TokenBatch(tokens, tokens), group).tokens.flatten()


def test_ranks_share_out_the_rows(ranks):
    """A row that two ranks read, or none."""
    parts = ranks(3)(own_rows, 7)
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3], [4, 5, 6]]


def test_fewer_rows_than_ranks_are_refused():
    """An empty part whose mean is NaN."""
    with Ranks(2) as two:
        assert "1 rows for 2 ranks" in two(told)[1]


def told(group):
    with pytest.raises(ValueError, match="rows for") as error:
        own_rows(group, 1)
    return str(error.value)


def test_a_count_is_summed_and_left_alone(ranks):
    """A count that grows W-fold each time it is looked at."""

    def counted(group):
        own = torch.tensor(group.rank() + 1)
        return int(sum_over_ranks(own, group)), int(own)

    assert ranks(3)(counted) == [(6, 1), (6, 2), (6, 3)]
