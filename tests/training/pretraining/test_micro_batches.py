"""Rows as tensors, and their parts."""

import numpy as np
import pytest
import torch

from scratchlm.text.shards import Batch
from scratchlm.training.pretraining import as_tensors, micro_batches


def batch(n_rows):
    both = np.arange(n_rows * 5, dtype=np.int64).reshape(n_rows, 5)
    return Batch(tokens=both[:, :-1], targets=both[:, 1:])


def test_tensors_share_the_arrays_memory():
    """A copy of each batch costs as much as reading it did."""
    given = batch(2)
    made = as_tensors(given)
    given.tokens[0, 0] = 99
    assert made.tokens[0, 0] == 99
    assert made.documents is None


@pytest.mark.parametrize("n_micro", [1, 2, 3, 7])
def test_parts_are_all_rows_in_order(n_micro):
    """Rows that the parts do not divide were dropped, or came twice."""
    whole = as_tensors(batch(7))
    parts = list(micro_batches(whole, n_micro))
    assert len(parts) == n_micro
    assert max(len(p.tokens) for p in parts) <= -(-7 // n_micro)
    joined = torch.cat([part.targets for part in parts])
    assert torch.equal(joined, whole.targets)


@pytest.mark.parametrize("n_micro", [0, 4])
def test_more_parts_than_rows_are_refused(n_micro):
    """An empty part reaches the model, which fails far from the cause."""
    with pytest.raises(ValueError, match=rf"n_micro is {n_micro}.*1 to 3"):
        list(micro_batches(as_tensors(batch(3)), n_micro))
