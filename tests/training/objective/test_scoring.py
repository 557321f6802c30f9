"""What documents cost, alone, padded and packed."""

import numpy as np
import pytest
import torch

from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer, cross_entropy_sum
from scratchlm.text.shards.in_memory import MemoryTokens
from scratchlm.text.shards.rows import PackedRows
from scratchlm.training.objective import document_nats

END = 49
DOCUMENTS = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9, 1, 2], [3, 3]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Transformer(tiny(64, vocab_size=50)).requires_grad_(False)


def test_padding_and_company_change_nothing(model):
    """Padding that counts, or a row's order that is not undone."""
    settings = {"end_id": END, "most_tokens": 64}
    batched = document_nats(model, DOCUMENTS, **settings, n_rows=3)
    for number, document in enumerate(DOCUMENTS):
        tokens = torch.tensor([[END, *document]])
        targets = torch.tensor([[*document, END]])
        alone, _ = cross_entropy_sum(model(tokens), targets)
        assert batched[number] == pytest.approx(alone.item(), rel=1e-5)


def test_packed_rows_cost_the_same(model):
    """A held-out loss of packed rows that counts a token twice, skips a
    document's first, or reads the neighbour."""
    batch = PackedRows(MemoryTokens(DOCUMENTS, end_id=END), 8).gather(
        np.arange(3)
    )
    logits = model(
        torch.tensor(batch.tokens), documents=torch.tensor(batch.documents)
    )
    total, count = cross_entropy_sum(logits, torch.tensor(batch.targets))
    nats = document_nats(model, DOCUMENTS, end_id=END, most_tokens=64)
    assert count == sum(len(d) + 1 for d in DOCUMENTS)
    assert nats.sum() == pytest.approx(total.item(), rel=1e-5)


def test_a_document_that_does_not_fit_is_named(model):
    """A cut document whose loss is reported as that of the whole."""
    with pytest.raises(ValueError, match="document 3 has 8 tokens"):
        document_nats(model, DOCUMENTS, end_id=END, most_tokens=7)
