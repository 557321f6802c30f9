"""A file of as many bits as the model's surprise, and back."""

from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.evaluation.perplexity.compression import (
    TOTAL,
    BitReader,
    BitWriter,
    compress,
    decompress,
    shares,
)
from scratchlm.evaluation.perplexity.perplexity import token_nats

IDS = {"start_id": 0, "end_id": 0}


@given(
    st.lists(
        st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=5), max_size=60
    ),
    st.data(),
)
def test_any_choices_come_back(weights, data):
    """A bit that is open when the ends lie on both sides of the middle, and
    is written too early; or a last interval that is not named."""
    writer, tables, chosen = BitWriter(), [], []
    for each in weights:
        z = torch.tensor([each]).double().log()
        tables.append(shares(z)[0])
        chosen.append(data.draw(st.integers(0, len(each) - 1)))
        table = tables[-1]
        writer.write(int(table[chosen[-1]]), int(table[chosen[-1] + 1]))
    packed = writer.finish()
    bits = sum(
        -np.log2((t[i + 1] - t[i]) / TOTAL)
        for t, i in zip(tables, chosen, strict=True)
    )
    assert len(packed) * 8 <= bits + 2 + 7
    reader = BitReader(packed)
    for table, due in zip(tables, chosen, strict=True):
        token = int(np.searchsorted(table, reader.where(), "right")) - 1
        assert token == due
        reader.read(int(table[token]), int(table[token + 1]))


def test_certain_tokens_cost_nothing():
    """The interval stays around the middle for thousands of tokens: an end
    without the bits that were put off is another text."""
    writer = BitWriter()
    for _ in range(500):
        writer.write(TOTAL // 4, TOTAL - TOTAL // 4)
    packed = writer.finish()
    assert len(packed) <= (500 + 2 + 7) / 8
    reader = BitReader(packed)
    for _ in range(500):
        assert TOTAL // 4 <= reader.where() < TOTAL - TOTAL // 4
        reader.read(TOTAL // 4, TOTAL - TOTAL // 4)


def test_no_share_is_empty():
    """A token of probability zero cannot be written, and the file ends
    there."""
    (ends,) = shares(torch.tensor([[0.0, -1e4, 1e4, -1e4]]))
    assert ends[0] == 0
    assert ends[-1] == TOTAL
    assert (np.diff(ends) >= 1).all()
    assert np.diff(ends).argmax() == 2


@pytest.mark.parametrize("n_rows", [2, 64])
def test_documents_come_back_at_their_price(n_rows, small, build, draw):
    """A writer that reads a whole text at once, and a reader that cannot:
    their last bits differ, and the text falls apart behind some token."""
    model = build(small)
    documents = [*draw(12, 3, 30), [], *draw(7)]
    packed = compress(model, documents, **IDS, n_rows=n_rows)
    assert decompress(model, packed, **IDS) == documents
    nats = sum(each.sum() for each in token_nats(model, documents, **IDS))
    assert len(packed) - 12 == pytest.approx(nats / log(2) / 8, abs=1.5)


def test_another_model_is_noticed(small, build, draw):
    """Plausible text that nobody wrote."""
    model = build(small)
    packed = compress(model, draw(12, 9), **IDS)
    with torch.no_grad():
        model.head.weight[3] += 0.5
    with pytest.raises(ValueError, match="not say what was written"):
        decompress(model, packed, **IDS)
    for damaged in (b"", packed[:8], bytes(12)[:4] + bytes(8)):
        with pytest.raises(ValueError, match="not say what was written"):
            decompress(model, damaged, **IDS)


def test_what_cannot_be_written(small, build):
    """A document whose end comes in its middle loses what follows."""
    model = build(small)
    with pytest.raises(ValueError, match="document 1 holds token 0"):
        compress(model, [[1], [2, 0, 3]], **IDS)
    with pytest.raises(ValueError, match="document 0 has 64 tokens"):
        compress(model, [[1] * 64], **IDS)
