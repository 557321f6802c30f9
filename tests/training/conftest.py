"""Runs that take a second."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from scratchlm.model.block import initialize
from scratchlm.model.transformer import TransformerConfig
from scratchlm.text.shards import (
    BatchConfig,
    Batches,
    MemoryTokens,
    PackedRows,
)
from scratchlm.training.optimizers import WarmupStableDecay, muon_and_adamw
from scratchlm.training.pretraining import Run

MODEL = TransformerConfig(
    vocab_size=23,
    d_model=16,
    n_layers=2,
    n_heads=2,
    n_kv_heads=1,
    d_head=8,
    d_ff=24,
    max_tokens=16,
    init=partial(initialize, std=0.1),  # a small one learns late
)
N_STEPS = 12


def small_batches(seed=0, batch_size=6):
    """Documents of 2 to 11 tokens in rows of 12, with padding."""
    draws = np.random.default_rng(0)
    documents = [
        draws.integers(1, 23, draws.integers(1, 11)) for _ in range(120)
    ]
    rows = PackedRows(MemoryTokens(documents, end_id=0), 12)
    return Batches(rows, BatchConfig(batch_size=batch_size, seed=seed))


SMALL = Run(
    model=MODEL,
    batches=small_batches,
    n_steps=N_STEPS,
    optimizer=partial(muon_and_adamw, lr=0.02, table_lr=0.01),
    schedule=WarmupStableDecay(warmup=2, n_steps=N_STEPS, decay=4),
    save_every=4,
)


@pytest.fixture
def make_run():
    """Call it with settings: a run of twelve steps that take 10 ms."""
    return partial(replace, SMALL)
