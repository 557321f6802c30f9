"""Batches that are refused before a step starts, on all ranks."""

from dataclasses import replace

import pytest
import torch

from scratchlm.scaling.meshes.torch_batches import Limits
from scratchlm.training.pretraining.micro_batches import TokenBatch

LIMITS = Limits(rows=4, positions=2, max_tokens=8, vocab_size=10)
CPU = torch.device("cpu")


def draw(n_rows=4, n_tokens=6, **others):
    tokens = torch.arange(n_rows * n_tokens).view(n_rows, n_tokens) % 10
    return TokenBatch(tokens=tokens, targets=tokens, **others)


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (draw(n_rows=6), "6 rows, which 4 micro-batches.* multiple of 4"),
        (draw(n_rows=0), "0 rows"),
        (draw(n_tokens=5), "5 positions.* 2 equal pieces.* pad them to 6"),
        (draw(n_tokens=10), "positions up to 9, but .* vectors for 8"),
        (draw(positions=torch.zeros(1, 1)), r"positions have shape \(1, 1\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(batch, told):
    """PyTorch's pipelining cuts six rows into four parts of unequal size,
    sends them as though they were equal, and hangs or learns from rows that
    nobody gave."""
    with pytest.raises(ValueError, match=told):
        LIMITS.checked(batch, CPU)


@pytest.mark.parametrize("name", ["tokens", "targets"])
@pytest.mark.parametrize("wrong", [-1, 10])
def test_what_is_no_token_is_refused(name, wrong):
    """An embedding in parts has zeros for a token that no rank has, and a
    loss in parts a logit of zero, where whole ones raise."""
    batch = draw()
    changed = getattr(batch, name).clone()
    changed[1, 2] = wrong
    with pytest.raises(ValueError, match=f"{name} from .* vocabulary has 10"):
        LIMITS.checked(batch._replace(**{name: changed}), CPU)
    ignored = batch.targets.masked_fill(batch.targets > 2, -100)
    LIMITS.checked(batch._replace(targets=ignored), CPU)
    ignored = torch.full_like(batch.targets, -100)
    LIMITS.checked(batch._replace(targets=ignored), CPU)


def test_each_token_has_the_position_of_its_document():
    """Middle stages of a pipeline, which see no tokens, count them anew."""
    documents = torch.tensor([[0, 0, 1, 1, 1, 2]] * 4)
    found = LIMITS.checked(draw(documents=documents), CPU)
    assert found.positions[3].tolist() == [0, 1, 0, 1, 2, 0]
    assert found.documents is documents
    plain = LIMITS.checked(draw(), CPU)
    assert plain.positions[2].tolist() == [*range(6)]
    one = LIMITS.checked(draw(documents=torch.zeros_like(documents)), CPU)
    assert one.documents is None  # a kernel is faster without a mask
    given = torch.zeros_like(documents)
    assert LIMITS.checked(draw(positions=given), CPU).positions is given
    torn = torch.tensor([[0, 1, 0, 0, 0, 0]] * 4)
    with pytest.raises(ValueError, match="document 0"):
        LIMITS.checked(draw(documents=torn), CPU)


def test_pieces_are_for_context_and_positions_alike():
    """Positions that divide by each axis and not by both."""
    assert replace(LIMITS, positions=8).positions == 8
    with pytest.raises(ValueError, match="pad them to 8"):
        replace(LIMITS, positions=8).checked(draw(n_tokens=4), CPU)
