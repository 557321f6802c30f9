"""A small model with its tokenizer, and questions for it."""

from types import SimpleNamespace

import pytest
import torch

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.text.tokenizer import BPETokenizer

END = "<|endoftext|>"
TEXT = "Where is the red fox? In the fog. What is a dog? It is an animal. " * 9


@pytest.fixture(scope="session")
def small():
    """A model of random weights, its tokenizer and what texts begin behind."""
    tokenizer = BPETokenizer.train(
        [TEXT], vocab_size=288, special_tokens=[END]
    )
    config = TransformerConfig(
        vocab_size=288,
        d_model=32,
        n_layers=2,
        n_heads=4,
        n_kv_heads=2,
        d_head=8,
        d_ff=48,
        max_tokens=64,
    )
    torch.manual_seed(0)
    model = Transformer(config).eval()
    with torch.no_grad():  # a fresh model finds all tokens alike
        for weight in model.parameters():
            weight.mul_(4)
    return SimpleNamespace(
        model=model,
        tokenizer=tokenizer,
        start_id=tokenizer.special_tokens[END],
    )


@pytest.fixture(scope="session")
def log_prob(small):
    """Call it with a context and a continuation: its log-probability, one
    text at a time."""

    @torch.no_grad()
    def of(context, continuation):
        before = [small.start_id, *small.tokenizer.encode(context)]
        ids = [small.start_id, *small.tokenizer.encode(context + continuation)]
        assert ids[: len(before)] == before
        logits = small.model(torch.tensor([ids]))[0, :-1].double()
        each = logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]]
        return float(each[len(before) - 1 :].sum())

    return of
