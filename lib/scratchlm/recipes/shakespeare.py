"""Tiny Shakespeare, character by character, at the size of a first try."""

from functools import cache, partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.initialization import initialize
from scratchlm.model.block.norm import norm_each_head
from scratchlm.model.published.kernel_parts import with_kernels
from scratchlm.model.transformer.transformer import TransformerConfig
from scratchlm.recipes.held_out_rows import loss_of_rows
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.small_model import iteration_dtype
from scratchlm.text.corpora.public_data import TINY_SHAKESPEARE
from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.in_memory import MemoryTokens
from scratchlm.text.shards.rows import ChoppedRows
from scratchlm.text.subwords.character_bpe.merging import RankedMerges
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.face import FaceText
from scratchlm.text.subwords.preparation.joining import FaceJoining
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.training.optimizers.groups import muon_and_adamw
from scratchlm.training.optimizers.schedules import WarmupStableDecay
from scratchlm.training.pretraining.run import Run

# The setting for a laptop's processor in nanoGPT's README (Karpathy 2022):
# sizes, rows of a step, and the validation loss after 2,000 steps.
N_TOKENS, BATCH_SIZE = 64, 12
PUBLISHED = 1.88
TRAINED_ON = 0.9  # of the text, its beginning
VOCABULARY = 65  # characters of the text
HELD_OUT_ROWS = 240  # as many as twenty batches, which nanoGPT looks at
CACHE = Path.home() / ".cache" / "scratchlm"


def shakespeare_char(  # noqa: PLR0913
    *,
    folder: str | None = None,
    n_steps: int = 300,
    lr: float = 0.02,
    table_lr: float = 0.01,
    dtype: str = "float32",
    seed: int = 0,
) -> Recipe:
    """Train on the characters of Shakespeare's plays, for a minute.

    The size is that of nanoGPT's setting for a processor, 4 layers of width
    128 and rows of 64 characters.

    Args:
        folder: with tinyshakespeare.txt; without one the text is downloaded.
        n_steps: of the run, 12 rows each.
        lr: peak learning rate of the matrices.
        table_lr: that of the embedding, the head and the norms.
        dtype: of matrix products.
        seed: of weights and order.
    """
    place = None if folder is None else Path(folder)
    run = Run(
        model=_config(),
        batches=partial(shakespeare_batches, place, seed=seed),
        n_steps=n_steps,
        optimizer=partial(
            muon_and_adamw,
            lr=lr,
            table_lr=table_lr,
            vector_lr=table_lr,
            dtype=iteration_dtype(dtype),
        ),
        schedule=WarmupStableDecay(
            warmup=n_steps // 50,
            n_steps=n_steps,
            decay=ceil(0.7 * n_steps),
        ),
        dtype=dtype,
        seed=seed,
        evaluate=partial(held_out_nats, folder=place),
        evaluate_every=100,
        save_every=200,
    )
    return Recipe(
        name="shakespeare-char",
        run=run,
        tokenizer=partial(shakespeare_tokenizer, place),
        n_tokens=N_TOKENS,
        batch_size=BATCH_SIZE,
    )


def _config() -> TransformerConfig:
    """Return Qwen3's block, as wide as nanoGPT's and no larger."""
    return with_kernels(
        TransformerConfig(
            vocab_size=VOCABULARY,
            d_model=128,
            n_layers=4,
            n_heads=4,
            n_kv_heads=4,
            d_head=32,
            d_ff=344,
            max_tokens=N_TOKENS,
            attention=partial(Attention, qk_norm=norm_each_head),
            init=partial(initialize, std=0.05),
            tied=True,
        )
    )


@cache
def shakespeare_text(folder: Path | None = None) -> str:
    """Return the text, from a folder or from where it is published.

    Args:
        folder: with ``tinyshakespeare.txt``; looked at first.

    Raises:
        ValueError: the file is another text.
        ConnectionError: it is not here and cannot be downloaded.
    """
    path = TINY_SHAKESPEARE.fetch(CACHE, folder=folder)
    return path.read_text("utf8")


@cache
def shakespeare_tokenizer(folder: Path | None = None) -> SubwordTokenizer:
    """Return a tokenizer whose tokens are the text's characters.

    A character that the text does not have becomes the first one, the end
    of a line.

    Args:
        folder: as for :func:`shakespeare_text`.

    Raises:
        ValueError: the file is another text.
        ConnectionError: it is not here and cannot be downloaded.
    """
    characters = sorted(set(shakespeare_text(folder)))
    return CharacterBPETokenizer(
        pattern=r"[\s\S]",
        vocab={each: i for i, each in enumerate(characters)},
        merges=RankedMerges(pairs=()),
        unknown=characters[0],
        fuse_unknown=False,
        rewriting=FaceText(normalizer=None, pre_tokenizer=None),
        joining=FaceJoining(decoder={"type": "Fuse"}),
    )


@cache
def _ids(folder: Path | None) -> Integer[np.ndarray, " n"]:
    """Return what the tokenizer would, in a hundredth of its time."""
    codes = shakespeare_text(folder).encode("utf-32-le")
    _, ids = np.unique(np.frombuffer(codes, "<u4"), return_inverse=True)
    return ids


def shakespeare_batches(folder: Path | None, *, seed: int) -> Batches:
    """Return shuffled rows of the first nine tenths.

    Args:
        folder: as for :func:`shakespeare_text`.
        seed: of their order.

    Raises:
        ValueError: the file is another text.
        ConnectionError: it is not here and cannot be downloaded.
    """
    ids = _ids(folder)
    ids = ids[: int(TRAINED_ON * len(ids))]
    rows = ChoppedRows(MemoryTokens([ids]), N_TOKENS)
    return Batches(rows, BatchConfig(batch_size=BATCH_SIZE, seed=seed))


def held_out_rows(folder: Path | None) -> ChoppedRows:
    """Return rows of the last tenth.

    Args:
        folder: as for :func:`shakespeare_text`.
    """
    ids = _ids(folder)
    rest = ids[int(TRAINED_ON * len(ids)) :]
    return ChoppedRows(MemoryTokens([rest]), N_TOKENS)


def held_out_nats(
    model: Any,
    *,
    folder: Path | None,
    n_rows: int | None = HELD_OUT_ROWS,
) -> float:
    """Return the nats of a character of the last tenth.

    Args:
        model: a transformer.
        folder: as for :func:`shakespeare_text`.
        n_rows: how many rows of 64 characters, spread evenly; all if None.
    """
    return float(loss_of_rows(model, held_out_rows(folder), n_rows).mean())
