"""Documents that a model draws."""

from dataclasses import replace

import pytest
import torch

from scratchlm.model.transformer import Transformer
from scratchlm.training.pretraining import sample_documents


@pytest.fixture
def model(make_run):
    torch.manual_seed(0)
    model = Transformer(replace(make_run().model, vocab_size=5))
    for weight in model.parameters():
        weight.data *= 3  # else all tokens are equally likely
    return model


def draw(model, n, seed=0, most=6):
    return sample_documents(model, n, end_id=0, most_tokens=most, seed=seed)


def test_frequencies_are_the_models_probabilities(model):
    """A cut distribution, or the cache of another row, shifts them."""
    n = 4000
    drawn = draw(model, n, most=2)
    pairs = torch.zeros(5, 5)
    for ids in drawn:
        first, second = ([*ids, 0, 0])[:2]
        pairs[first, second] += 1
    with torch.no_grad():
        one = model(torch.tensor([[0]]))[0, -1].softmax(-1)
        rows = torch.tensor([[0, token] for token in range(5)])
        two = model(rows)[:, -1].softmax(-1)
    expected = one[:, None] * two
    expected[0] = one[0] * torch.tensor([1.0, 0, 0, 0, 0])  # ended
    off = (pairs / n - expected).abs()
    assert float(off.max()) < 4 * (0.25 / n) ** 0.5


def test_a_document_ends_at_its_end_or_where_it_is_too_long(model):
    """What is drawn behind an end belongs to no document."""
    drawn = draw(model, 200)
    assert all(0 not in ids for ids in drawn)
    lengths = {len(ids) for ids in drawn}
    assert max(lengths) <= 6
    assert len(lengths) > 2


def test_a_seed_decides_and_leaves_other_draws_alone(model):
    """A sample taken during training would change the training."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert draw(model, 20) == draw(model, 20)
    assert draw(model, 20) != draw(model, 20, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_low_temperature_draws_the_likeliest(model):
    """Multiplied instead of divided, it draws anything."""
    with torch.no_grad():
        best = int(model(torch.tensor([[0]]))[0, -1].argmax())
    drawn = sample_documents(
        model, 50, end_id=0, most_tokens=1, seed=0, temperature=1e-3
    )
    assert all(ids == ([best] if best else []) for ids in drawn)


def test_nothing_to_draw_is_refused(model):
    """An empty batch fails far from here."""
    with pytest.raises(ValueError, match="n is 0"):
        draw(model, 0)
    with pytest.raises(ValueError, match="temperature is 0"):
        sample_documents(
            model, 1, end_id=0, most_tokens=1, seed=0, temperature=0.0
        )
