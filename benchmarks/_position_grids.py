"""The grids of positions: learned ones, and none."""

from dataclasses import replace
from functools import partial
from itertools import product
from statistics import fmean

import torch
from _runs import (
    VOCABULARY,
    Each,
    Found,
    Size,
    corpus,
    draw,
    train,
    up_and_down,
)
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from scratchlm.model.block import initialize
from scratchlm.model.embeddings import LearnedPositions
from scratchlm.model.positions import NoRotation
from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer, TransformerConfig
from scratchlm.text.corpora import python_docs
from scratchlm.text.tokenizer import BPETokenizer


def draw_positions(model: nn.Module, n_layers: int, deviation: float) -> None:
    """Draw as GPT-2 does, but the table of positions."""
    initialize(model, n_layers)
    nn.init.normal_(model.embedding.positions.weight, std=deviation)


def late_config(deviation: float | None, tied: bool) -> TransformerConfig:
    """The base model of the chapter on the transformer; None is RoPE."""
    config = TransformerConfig(
        vocab_size=VOCABULARY,
        d_model=64,
        n_layers=2,
        n_heads=2,
        n_kv_heads=1,
        d_head=32,
        d_ff=192,
        max_tokens=64,
        tied=tied,
    )
    if deviation is None:
        return config
    return replace(
        config,
        rotary=NoRotation,
        embedding=LearnedPositions,
        init=partial(draw_positions, deviation=deviation),
    )


def learned_positions(size: Size, _: Each) -> Found:
    """Learned positions by first size, with the head tied and not."""
    ids, _ = corpus(size.n_bytes)
    found: Found = {"steps": size.late_steps}
    sizes = (None, 0.0, 0.002, 0.02, 0.2)
    grid = list(product(sizes, (True, False), range(size.seeds)))
    for deviation, tied, seed in tqdm(grid, "positions", disable=None):
        torch.manual_seed(seed)
        model = Transformer(late_config(deviation, tied))
        rates = iter([3e-3] * size.late_steps)
        losses = train(model, draw(ids, 4, 64, seed), rates)
        kind = "RoPE" if deviation is None else f"deviation {deviation:g}"
        head = "tied" if tied else "free"
        found[f"{kind}, {head}, seed {seed}"] = fmean(losses[-20:])
    return found


# No positions: what a model that is told none makes of a longer text.


def no_positions(size: Size, _: Each) -> Found:
    """Loss before the end of the trained length, and far behind it."""
    topics = list(python_docs())[: size.topics]
    tok = BPETokenizer.train(topics, VOCABULARY)
    n_tokens, far = 32, 256
    text, unseen = (
        torch.tensor([i for one in part for i in tok.encode(one)])
        for part in (
            [topic for i, topic in enumerate(topics) if i % 8],
            topics[::24],
        )
    )
    config = replace(
        tiny(64, vocab_size=VOCABULARY),
        max_tokens=n_tokens,
        n_heads=4,
        n_kv_heads=2,
        d_head=16,
        rotary=NoRotation,
    )
    found: Found = {"steps": size.far_steps}
    for seed in tqdm(range(size.seeds), "no positions", disable=None):
        torch.manual_seed(seed)
        model = Transformer(config)
        batch = draw(text, 32, n_tokens, seed)
        train(model, batch, up_and_down(6e-3, size.far_steps))
        losses = loss_by_position(model, unseen, far)
        known = losses[n_tokens // 2 : n_tokens].mean().item()
        found[f"trained length, seed {seed}"] = known
        found[f"beyond it, seed {seed}"] = losses[-n_tokens:].mean().item()
    return found


@torch.no_grad()
def loss_by_position(model: nn.Module, text: Tensor, far: int) -> Tensor:
    """Mean loss at each position of rows that start at every 16th token."""
    starts = torch.arange(0, len(text) - far - 1, 16)
    total = torch.zeros(far)
    for start in starts.split(64):
        rows = text[start[:, None] + torch.arange(far + 1)]
        logits = model(rows[:, :-1]).mT
        total += F.cross_entropy(logits, rows[:, 1:], reduction="none").sum(0)
    return total / len(starts)
