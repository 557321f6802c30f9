import pytest
import torch

from scratchlm.evaluation.interpretability.lens import (
    TunedLens,
    agreement,
    divergence,
    logit_lens,
    streams,
    train_tuned_lens,
)


@torch.no_grad()
def test_the_last_layer_is_the_model(model, tokens):
    kept = streams(model, tokens)
    assert kept.shape == (3, 3, 10, 16)
    assert torch.equal(logit_lens(model, kept[-1]), model(tokens))


@torch.no_grad()
def test_the_norm_is_computed_for_each_stream(model, tokens):
    """With the scale of the last layer, which TransformerLens once cached,
    a stream of a tenth of the length would give a tenth of the logits."""
    stream = streams(model, tokens)[1]
    short, long = (logit_lens(model, c * stream) for c in (0.5, 5.0))
    torch.testing.assert_close(short, long, rtol=1e-3, atol=1e-3)


def test_divergence_of_two_coins():
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    expected = 0.5 * (torch.log(p / q)).sum()
    torch.testing.assert_close(divergence(p.log(), q.log()), expected)


def test_training_brings_the_lens_nearer(model, tokens):
    before = [each.clone() for each in model.parameters()]
    lens = train_tuned_lens(model, [*tokens], n_steps=60, learning_rate=1e-2)
    plain = agreement(model, tokens[0])
    tuned = agreement(model, tokens[0], lens)
    assert tuned[0].mean() < 0.7 * plain[0].mean()
    assert tuned[1].mean() < 0.9 * plain[1].mean()
    for old, new in zip(before, model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_an_untrained_lens_is_the_logit_lens(model, tokens):
    lens = TunedLens(3, 16)
    assert torch.equal(
        agreement(model, tokens[0], lens), agreement(model, tokens[0])
    )


def test_bad_sizes(model, tokens):
    with pytest.raises(ValueError, match="at least 1"):
        TunedLens(0, 16)
    with pytest.raises(ValueError, match="0 rows"):
        train_tuned_lens(model, [], n_steps=1)
