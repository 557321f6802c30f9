"""Python's own text, cut into what is trained on and what is not."""

from math import inf, log2, nan

import pytest
import torch
from torch import nn

from scratchlm.recipes import python_source
from scratchlm.recipes.python_source import (
    END,
    held_out_bits,
    python_batches,
    python_rows,
    python_source_model,
    python_text,
    python_tokenizer,
)

TEXT = {"vocab_size": 300, "megabytes": 0.3}


class Uniform(nn.Module):
    """Every token as likely as each other."""

    def __init__(self, vocab_size):
        super().__init__()
        self.head = nn.Linear(4, vocab_size, bias=False)
        nn.init.zeros_(self.head.weight)

    def hidden(self, tokens, documents=None, positions=None):
        return torch.zeros(*tokens.shape, 4)


def test_whole_documents_are_held_out():
    """The end of a document that the model knows the beginning of."""
    trained_on, out = python_text(0.3)
    assert out
    assert not set(out) & set(trained_on)
    assert sum(len(text.encode()) for text in trained_on + out) <= 300_000


def test_the_rows_have_every_token_of_their_part():
    """Held-out documents among the rows to train on."""
    tokenizer = python_tokenizer(300, 0.3)
    for rows, texts in zip(
        python_rows(300, 0.3), python_text(0.3), strict=True
    ):
        ids = tokenizer.encode_batch(list(texts), workers=1)
        assert rows.shards.n_tokens == sum(map(len, ids)) + len(texts)
        assert rows.n_tokens == 256


def test_the_tokenizer_never_saw_what_is_held_out(monkeypatch):
    """Merges that were learned from the text that is to measure the model."""
    seen = []

    def train(texts, *args, **settings):
        seen.extend(texts)
        return python_tokenizer(300, 0.3)

    monkeypatch.setattr(python_source.BPETokenizer, "train", train)
    python_tokenizer.__wrapped__(300, 0.3)
    assert tuple(seen) == python_text(0.3).trained_on


def test_guessing_costs_the_same_for_every_token():
    """Bits of tokens for bits of bytes, or ends that cost nothing."""
    texts = python_text(0.3).held_out
    tokenizer = python_tokenizer(300, 0.3)
    n = sum(len(tokenizer.encode(text)) + 1 for text in texts)
    n_bytes = sum(len(text.encode()) for text in texts)
    assert held_out_bits(Uniform(300), **TEXT) == pytest.approx(
        n * log2(300) / n_bytes, rel=1e-5
    )


def test_each_seed_has_an_order_of_its_own():
    """Runs that differ by weights alone."""
    first, second = (
        next(python_batches(**TEXT, batch_size=4, seed=seed)).tokens
        for seed in (0, 1)
    )
    assert (first != second).any()


def test_the_recipe_speaks_of_one_text():
    """A model measured on other text than it was kept from."""
    recipe = python_source_model(megabytes=0.3, vocab_size=300, n_steps=9)
    assert recipe.tokenizer() is python_tokenizer(300, 0.3)
    assert END in recipe.tokenizer().special_tokens
    report = recipe.report(Uniform(300), recipe.tokenizer())
    assert report == {"bits_per_byte": held_out_bits(Uniform(300), **TEXT)}
    assert recipe.run.evaluate.keywords == TEXT


@pytest.mark.parametrize("megabytes", [0.0, -1.0, inf, nan])
def test_no_text_is_refused(megabytes):
    """All of the library for a sign that slipped in."""
    with pytest.raises(ValueError, match="give a finite number above 0"):
        python_text(megabytes)


def test_too_little_text_to_hold_some_out_is_refused():
    """A loss over nothing."""
    with pytest.raises(ValueError, match="none is held out"):
        python_text(0.002)
