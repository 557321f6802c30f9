"""Base models of TinyWorld, whose floor is known."""

from dataclasses import dataclass
from functools import partial
from math import ceil

from scratchlm.model.transformer.transformer import TransformerConfig
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.small_model import (
    small_model,
    small_optimizer,
    small_schedule,
)
from scratchlm.recipes.world_report import (
    excess,
    sampled_texts,
    world_report,
)
from scratchlm.recipes.world_text import (
    DOCUMENTS_PER_ROW,
    N_TOKENS,
    world_batches,
    world_tokenizer,
)
from scratchlm.training.pretraining.run import Run


def tinyworld_base(  # noqa: PLR0913
    *,
    n_steps: int = 2400,
    batch_size: int = 16,
    d_model: int = 256,
    n_layers: int = 4,
    lr: float = 0.02,
    table_lr: float = 0.003,
    dtype: str = "bfloat16",
    seed: int = 0,
    n_micro: int = 1,
    device: str = "cpu",
) -> Recipe:
    """Train the base model of the book, of about four million parameters.

    Args:
        n_steps: of the run.
        batch_size: rows of a step, 256 tokens each.
        d_model: width D.
        n_layers: blocks L.
        lr: peak learning rate of the matrices.
        table_lr: of the embedding and of the gains of norms.
        dtype: of matrix products.
        seed: of weights and order.
        n_micro: parts of a step, for memory.
        device: where to train.
    """
    settings = _Settings(
        n_steps=n_steps,
        batch_size=batch_size,
        lr=lr,
        table_lr=table_lr,
        dtype=dtype,
        seed=seed,
        evaluate_every=max(1, n_steps // 20),
        n_held_out=500,
        n_micro=n_micro,
        device=device,
    )
    model = small_model(3072, d_model, n_layers, n_tokens=N_TOKENS)
    return _recipe("tinyworld-base", model, settings)


def tinyworld_tiny(  # noqa: PLR0913
    *,
    n_steps: int = 120,
    batch_size: int = 8,
    lr: float = 0.05,
    table_lr: float = 0.02,
    dtype: str = "float32",
    seed: int = 0,
) -> Recipe:
    """Train its small sibling while you read a page.

    Args:
        n_steps: of the run.
        batch_size: rows of a step, 256 tokens each.
        lr: peak learning rate of the matrices.
        table_lr: of the embedding and of the gains of norms.
        dtype: of matrix products.
        seed: of weights and order.
    """
    settings = _Settings(
        n_steps=n_steps,
        batch_size=batch_size,
        lr=lr,
        table_lr=table_lr,
        dtype=dtype,
        seed=seed,
        evaluate_every=max(1, n_steps // 5),
        n_held_out=100,
    )
    model = small_model(2048, 64, 2, n_tokens=N_TOKENS, d_head=32)
    return _recipe("tinyworld-tiny", model, settings)


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """What the two recipes set, and what they leave as it is here."""

    n_steps: int
    batch_size: int
    lr: float
    table_lr: float
    dtype: str
    seed: int
    evaluate_every: int
    n_held_out: int
    n_micro: int = 1
    device: str = "cpu"


def _recipe(name: str, model: TransformerConfig, given: _Settings) -> Recipe:
    vocab_size, n_steps = model.vocab_size, given.n_steps
    batches = partial(
        world_batches,
        vocab_size=vocab_size,
        n_documents=ceil(DOCUMENTS_PER_ROW * given.batch_size * n_steps),
        batch_size=given.batch_size,
        seed=given.seed,
    )
    run = Run(
        model=model,
        batches=batches,
        n_steps=n_steps,
        optimizer=small_optimizer(
            given.lr, given.dtype, table_lr=given.table_lr
        ),
        schedule=small_schedule(n_steps),
        dtype=given.dtype,
        seed=given.seed,
        n_micro=given.n_micro,
        device=given.device,
        evaluate=partial(excess, vocab_size=vocab_size, n=given.n_held_out),
        evaluate_every=given.evaluate_every,
        save_every=100,
    )
    return Recipe(
        name=name,
        run=run,
        tokenizer=partial(world_tokenizer, vocab_size),
        n_tokens=N_TOKENS,
        batch_size=given.batch_size,
        report=world_report,
        sample=partial(sampled_texts, n=4, seed=0),
    )
