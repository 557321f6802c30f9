"""A model of children's stories, on one GPU."""

from functools import partial
from pathlib import Path

from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.sharded_text import ShardedText, learned
from scratchlm.recipes.small_model import (
    small_model,
    small_optimizer,
    small_schedule,
)
from scratchlm.text.corpora.public_data import TINYSTORIES
from scratchlm.training.pretraining.run import Run

N_TOKENS = 512


def tinystories_30m(  # noqa: PLR0913
    *,
    folder: str = "data/tinystories",
    stream: bool = False,
    local: str | None = None,
    held_out_tokens: int = 1_000_000,
    n_steps: int = 7000,
    batch_size: int = 128,
    n_micro: int = 4,
    d_model: int = 512,
    n_layers: int = 9,
    vocab_size: int = 8192,
    lr: float = 0.02,
    dtype: str = "bfloat16",
    compiled: bool = False,
    seed: int = 0,
    device: str = "cuda",
) -> Recipe:
    """Train a model of TinyStories, of 30 million parameters, on one GPU.

    Args:
        folder: of the shards and their tokenizer.
        stream: fetch the text and write the shards where they are missing.
        local: folder of local data, in the place of the network.
        held_out_tokens: of the first documents, which no step sees.
        n_steps: of the run.
        batch_size: rows of a step, 512 tokens each.
        n_micro: parts of a step, for memory.
        d_model: width D.
        n_layers: blocks L.
        vocab_size: of the tokenizer.
        lr: peak learning rate of the matrices.
        dtype: of matrix products.
        compiled: let torch.compile translate the model.
        seed: of weights and order.
        device: where to train.

    Source: Eldan and Li 2023, "TinyStories: How Small Can Language Models Be
    and Still Speak Coherent English?", for the text.
    """
    text = _text(vocab_size, folder, stream, local, held_out_tokens)
    run = Run(
        model=small_model(vocab_size, d_model, n_layers, n_tokens=N_TOKENS),
        batches=text.batching(N_TOKENS, batch_size, seed),
        n_steps=n_steps,
        optimizer=small_optimizer(lr, dtype),
        schedule=small_schedule(n_steps),
        n_micro=n_micro,
        dtype=dtype,
        compiled=compiled,
        seed=seed,
        device=device,
        evaluate=partial(text.held_out_loss, n_tokens=N_TOKENS),
        evaluate_every=max(1, n_steps // 20),
    )
    return text.trained_on(run, N_TOKENS, batch_size)


def _text(
    vocab_size: int, folder: str, stream: bool, local: str | None, n: int
) -> ShardedText:
    return ShardedText(
        recipe="tinystories-30m",
        folder=Path(folder),
        dataset=TINYSTORIES,
        megabytes=2000,
        vocab_size=vocab_size,
        learn=partial(learned, vocab_size),
        stream=stream,
        local=None if local is None else Path(local),
        n_held_out=n,
    )
