"""A small model of which every part matters, for ranks that share it."""

from dataclasses import replace

import torch

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

SMALL = TransformerConfig(
    vocab_size=61,  # which neither two nor four ranks share evenly
    d_model=32,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=47,  # nor this
    max_tokens=64,
)


def build(config, dtype=torch.float32):
    """PyTorch's own weights: with GPT-2's small ones, a part that is broken
    hardly changes a gradient."""
    torch.manual_seed(0)
    model = Transformer(replace(config, init=lambda model, n_layers: None))
    with torch.no_grad():  # biases and norms that are neither 0 nor 1
        for p in model.parameters():
            if p.ndim == 1:
                p.add_(torch.randn_like(p), alpha=0.3)
    return model.to(dtype)


def apart(found, due):
    """The distance of two tensors, over the length of the second."""
    return float((found - due).norm() / due.norm().clamp(min=1e-30))
