from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from scratchlm.model.embeddings.embedding import (
    LearnedPositions,
    SinusoidalPositions,
    TokenEmbedding,
)
from scratchlm.model.transformer.transformer import Transformer

EMBEDDINGS = [TokenEmbedding, LearnedPositions, SinusoidalPositions]


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_embeddings_follow_the_type_of_the_model(embedding):
    """Waves in float32 that turn the whole residual stream into it."""
    layer = embedding(7, 8, 5).to(torch.bfloat16)
    out = layer(torch.tensor([[1, 2]]), torch.arange(2))
    assert out.dtype == torch.bfloat16


@given(shift=st.integers(0, 500), position=st.integers(0, 500))
def test_a_shift_of_the_waves_is_one_linear_map(shift, position):
    """A sine without its cosine: from it alone, a layer cannot compute
    where the neighbour stands."""
    waves = SinusoidalPositions(1, 8, 0)
    with torch.no_grad():
        waves.tokens.weight.zero_()
        here, there = waves(
            torch.zeros(2, dtype=torch.long),
            torch.tensor([position, position + shift]),
        ).view(2, 4, 2)
    angle = shift * waves.angles.frequencies
    sin, cos = here.unbind(-1)
    moved = torch.stack(
        (
            sin * angle.cos() + cos * angle.sin(),
            cos * angle.cos() - sin * angle.sin(),
        ),
        -1,
    )
    torch.testing.assert_close(moved, there, rtol=0, atol=2e-4)


def test_the_waves_are_those_of_the_paper():
    """All sines first, or wavelengths that differ within a pair."""
    waves = SinusoidalPositions(5, 6, 0)
    tokens, positions = torch.tensor([4, 0, 4]), torch.tensor([0, 1, 37])
    out = waves(tokens, positions) - 6**0.5 * waves.tokens.weight[tokens]
    for row, at in zip(out.tolist(), positions.tolist(), strict=True):
        for i in range(3):
            angle = torch.tensor(at / 10_000 ** (2 * i / 6))
            wave = [angle.sin().item(), angle.cos().item()]
            assert row[2 * i : 2 * i + 2] == pytest.approx(wave, abs=1e-5)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_a_row_of_a_table_is_a_product_with_one_hot(embedding):
    """A lookup that is off by one row."""
    layer = embedding(7, 8, 5)
    tokens = torch.tensor([[3, 0, 6, 3]])
    one_hot = F.one_hot(tokens, 7).float()
    rows = one_hot @ layer.tokens.weight
    factor = 8**0.5 if embedding is SinusoidalPositions else 1.0
    added = layer(tokens, torch.arange(4)) - factor * rows
    # What is added to a token depends on its position alone.
    other = torch.tensor([[1, 1, 2, 5]])
    again = layer(other, torch.arange(4)) - factor * layer.tokens(other)
    torch.testing.assert_close(added, again, rtol=0, atol=1e-5)
    assert bool(added.any()) == (embedding is not TokenEmbedding)


def test_a_scale_multiplies_the_vectors():
    """Gemma's factor applied to the weights, which the head shares."""
    layer = TokenEmbedding(7, 8, 5, scale=8**0.5)
    tokens = torch.tensor([[3, 0]])
    out = layer(tokens, torch.arange(2))
    torch.testing.assert_close(out, layer.tokens(tokens) * 8**0.5)


def test_only_learned_positions_have_an_end(small):
    """An IndexError from inside PyTorch, or, on a GPU, an assertion that
    takes the process with it; and a limit where there is none."""
    tokens = torch.zeros(1, small.max_tokens + 1, dtype=torch.long)
    for embedding in EMBEDDINGS:
        model = Transformer(replace(small, embedding=embedding))
        if embedding is LearnedPositions:
            with pytest.raises(
                ValueError, match=f"vectors for {small.max_tokens}; shorten"
            ):
                model(tokens)
            model(tokens[:, 1:])
        else:
            model(tokens)
