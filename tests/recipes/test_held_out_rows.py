"""What rows cost."""

import numpy as np
import pytest
import torch

from scratchlm.model.transformer import Transformer
from scratchlm.recipes import held_out_rows
from scratchlm.recipes.held_out_rows import loss_of_rows, spread_over
from scratchlm.recipes.small_model import small_model
from scratchlm.text.shards import MemoryTokens, PackedRows
from scratchlm.training.pretraining.micro_batches import as_tensors
from scratchlm.training.pretraining.run import language_loss


@pytest.fixture(scope="module")
def rows():
    draws = np.random.default_rng(0)
    documents = [
        draws.integers(1, 30, draws.integers(1, 40)) for _ in range(40)
    ]
    return PackedRows(MemoryTokens(documents, end_id=0), 16)


def test_rows_in_batches_cost_what_they_cost_together(rows, monkeypatch):
    """A last batch that is left out, or a row that counts twice."""
    monkeypatch.setattr(held_out_rows, "AT_ONCE", 7 * 16)
    model = Transformer(small_model(30, 64, 1, n_tokens=16)).eval()
    assert len(rows) > 2 * 7
    assert len(rows) % 7
    batch = as_tensors(rows.gather(np.arange(len(rows))))
    with torch.no_grad():
        wanted = language_loss(model, batch)
    found = loss_of_rows(model, rows)
    assert found.count == wanted.count == rows.shards.n_tokens
    torch.testing.assert_close(found.total, wanted.total)
    assert not found.total.requires_grad


def test_some_rows_can_be_enough(rows):
    """All rows of a large set, each time; or the first alone, which are
    easier or harder than the rest."""
    model = Transformer(small_model(30, 64, 1, n_tokens=16)).eval()
    numbers = spread_over(len(rows), 3)
    assert numbers.tolist() == [0, len(rows) // 3, 2 * len(rows) // 3]
    few = rows.gather(numbers)
    assert loss_of_rows(model, rows, 3).count == (few.targets >= 0).sum()
    every = loss_of_rows(model, rows, 10**6)
    assert every.count == loss_of_rows(model, rows).count
