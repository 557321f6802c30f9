"""A small model with random weights."""

import pytest
import torch

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

SMALL = TransformerConfig(
    vocab_size=24, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2,
    d_head=4, d_ff=24, max_tokens=32,
)  # fmt: skip


@pytest.fixture(scope="session")
def config():
    return SMALL


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    model = Transformer(config)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn_like(each), alpha=0.2)
    return model.eval()


@pytest.fixture
def tokens():
    draws = torch.Generator().manual_seed(1)
    return torch.randint(24, (3, 10), generator=draws)
