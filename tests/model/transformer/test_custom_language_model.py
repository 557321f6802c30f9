from dataclasses import FrozenInstanceError, replace
from math import log

import pytest
import torch

from scratchlm.model.published import presets
from scratchlm.model.published.accounting import count
from scratchlm.model.transformer.custom_language_model import (
    CustomLanguageModel,
    LLMConfig,
)
from scratchlm.model.transformer.transformer import Transformer

SMALL = LLMConfig(vocab_size=61, block_size=24, n_layer=2, n_head=4, n_embd=32)
NAMES = {
    "wte.": "embedding.tokens.",
    "wpe.": "embedding.positions.",
    "h.": "blocks.",
    ".ln_1.": ".attention_norm.",
    ".attn.": ".attention.",
    ".ln_2.": ".feedforward_norm.",
    ".mlp.": ".feedforward.",
    "ln_f.": "norm.",
    "lm_head.": "head.",
}


def composed(config):
    """The same sizes and parts, as a configuration of the other class."""
    return replace(
        presets.gpt2(),
        vocab_size=config.vocab_size,
        max_tokens=config.block_size,
        n_layers=config.n_layer,
        n_heads=config.n_head,
        n_kv_heads=config.n_head,
        d_head=config.n_embd // config.n_head,
        d_model=config.n_embd,
        d_ff=4 * config.n_embd,
    )


def renamed(name):
    for old, new in NAMES.items():
        if old.startswith(".") or name.startswith(old):
            name = name.replace(old, new, 1)
    return name


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CustomLanguageModel(SMALL)


@pytest.fixture
def tokens():
    return torch.randint(61, (3, 25), generator=torch.Generator())


def test_equals_the_model_composed_of_parts(model, tokens):
    """Two models of one book that differ by a norm or an activation."""
    other = Transformer(composed(SMALL))
    weights = {renamed(k): v for k, v in model.state_dict().items()}
    other.load_state_dict(weights)
    logits, loss = model(tokens[:, :-1])
    torch.testing.assert_close(logits, other(tokens[:, :-1]))
    assert loss is None
    assert count(model) == count(other)


def test_the_first_loss_is_that_of_a_guess():
    """Weights that are too large: the model starts out certain and wrong."""
    torch.manual_seed(0)
    config = LLMConfig(vocab_size=4096, n_layer=2, n_head=4, n_embd=256)
    tokens = torch.randint(4096, (4, 129))
    _, loss = CustomLanguageModel(config)(tokens[:, :-1], tokens[:, 1:])
    assert loss.item() == pytest.approx(log(4096), rel=0.02)


def test_the_loss_is_that_of_the_targets(model, tokens):
    """Targets that are compared with the wrong position's logits."""
    logits, loss = model(tokens[:, :-1], tokens[:, 1:])
    by_hand = [
        -logits[b, t].log_softmax(-1)[tokens[b, t + 1]]
        for b in range(3)
        for t in range(24)
    ]
    torch.testing.assert_close(loss, torch.stack(by_hand).mean())
    some = tokens[:, 1:].clone()
    some[1:] = -100
    _, of_the_first = model(tokens[:, :-1], some)
    torch.testing.assert_close(of_the_first, torch.stack(by_hand[:24]).mean())


@pytest.mark.parametrize("at", [0, 5, 23])
def test_a_token_changes_nothing_before_it(model, tokens, at):
    """A model that reads what it is to predict."""
    idx = tokens[:, :-1]
    other = idx.clone()
    other[:, at] = (other[:, at] + 1) % 61
    (before, _), (after, _) = model(idx), model(other)
    assert torch.equal(before[:, :at], after[:, :at])
    assert not torch.equal(before[:, at], after[:, at])


def test_the_head_is_tied(model):
    """A head that starts as a copy of the embedding and drifts away."""
    assert model.lm_head.weight is model.wte.weight


def test_a_model_without_shifts_has_none():
    """A bias that stays behind in a norm or in one linear layer."""
    model = CustomLanguageModel(replace(SMALL, bias=False))
    assert [
        name for name, _ in model.named_parameters() if "bias" in name
    ] == []


def test_dropout_is_for_training(tokens):
    """Noise in evaluation, or none in training."""
    torch.manual_seed(0)
    model = CustomLanguageModel(replace(SMALL, dropout=0.5))
    idx = tokens[:, :-1]
    assert not torch.equal(model(idx)[0], model(idx)[0])
    model.eval()
    torch.testing.assert_close(model(idx)[0], model(idx)[0], rtol=0, atol=0)


def test_learns_a_row_by_heart(model, tokens):
    """A part that no gradient reaches: the loss gets stuck halfway."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(120):
        _, loss = model(tokens[:1, :-1], tokens[:1, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_a_text_too_long_is_told(model):
    """An index error from inside the table of positions."""
    with pytest.raises(ValueError, match=r"25 tokens.* block_size is 24"):
        model(torch.zeros(1, 25, dtype=torch.int64))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_layer": 0}, "n_layer is 0"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"n_head": 3}, "n_head is 3, .* n_embd, 32"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
    ],
)
def test_sizes_that_make_no_model_are_named(given, message):
    """A failure deep inside, about a shape that nobody typed."""
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **given)


@pytest.mark.parametrize("none", [0, 0.0])
def test_no_dropout_may_be_a_whole_number(none):
    """Nought taken for a size, and refused with "use at least 1"."""
    assert CustomLanguageModel(replace(SMALL, dropout=none)).drop.p == 0
    with pytest.raises(ValueError, match="dropout is 1; use a probability"):
        replace(SMALL, dropout=1)


def test_the_defaults_are_the_smallest_gpt2():
    """A default that drifted from the model that it is named after."""
    with torch.device("meta"):
        model = CustomLanguageModel(LLMConfig())
    assert count(model) == 124_439_808
    with pytest.raises(FrozenInstanceError):
        LLMConfig().n_layer = 3
