"""A model of real text that every machine has: what comes with Python.

Another version of Python has another library, so that the losses of two
machines compare only where their versions agree.
"""

from functools import cache, partial
from itertools import chain
from math import inf
from typing import Any, NamedTuple

from scratchlm.recipes.held_out_rows import loss_of_rows
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.small_model import (
    small_model,
    small_optimizer,
    small_schedule,
)
from scratchlm.text.corpora.interpreter import python_docs, python_source
from scratchlm.text.corpora.texts import take_bytes
from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.holding_out import held_out
from scratchlm.text.shards.in_memory import MemoryTokens
from scratchlm.text.shards.rows import PackedRows
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.training.objective.metrics import bits_per_byte
from scratchlm.training.pretraining.run import Run

END = "<|endoftext|>"
N_TOKENS = 256
HELD_OUT = 0.02  # of the documents


class Parts(NamedTuple):
    """Documents for training, and those that it never sees.

    Args:
        trained_on: most of them.
        held_out: chosen by their own text.
    """

    trained_on: tuple[str, ...]
    held_out: tuple[str, ...]


@cache
def python_text(megabytes: float) -> Parts:
    """Return documentation and source of the running interpreter.

    Args:
        megabytes: stop before there is more; millions of bytes.

    Raises:
        ValueError: it is too little to hold a document out.
    """
    if not 0 < megabytes < inf:
        raise ValueError(
            f"megabytes is {megabytes}; give a finite number above 0"
        )
    documents = chain(python_docs(), python_source())
    texts = [*take_bytes(documents, int(megabytes * 1e6))]
    chosen = held_out(texts, HELD_OUT)
    if not chosen.any():
        raise ValueError(
            f"of {len(texts)} documents none is held out; give more "
            f"megabytes than {megabytes}"
        )
    both = [
        tuple(
            text for text, out in zip(texts, chosen, strict=True) if out == x
        )
        for x in (False, True)
    ]
    return Parts(*both)


@cache
def python_tokenizer(vocab_size: int, megabytes: float) -> SubwordTokenizer:
    """Return a tokenizer trained on what the model is trained on.

    Args:
        vocab_size: the bytes, the merged tokens and the end of a document.
        megabytes: of text, with what is held out of it.

    Raises:
        ValueError: it is too small.
    """
    return BPETokenizer.train(
        python_text(megabytes).trained_on,
        vocab_size,
        pattern="cl100k",
        special_tokens=[END],
        workers=1,
    )


@cache
def python_rows(
    vocab_size: int, megabytes: float
) -> tuple[PackedRows, PackedRows]:
    """Return rows of documents, the longer ones cut every row.

    Args:
        vocab_size: of the tokenizer.
        megabytes: of text.

    Returns:
        Those to train on, and those held out.
    """
    tokenizer = python_tokenizer(vocab_size, megabytes)
    end = tokenizer.special_tokens[END]
    trained_on, out = (
        PackedRows(
            MemoryTokens(tokenizer.encode_batch(texts, workers=1), end),
            N_TOKENS,
        )
        for texts in python_text(megabytes)
    )
    return trained_on, out


def python_batches(
    *, vocab_size: int, megabytes: float, batch_size: int, seed: int
) -> Batches:
    """Return batches of the rows to train on.

    Args:
        vocab_size: of the tokenizer.
        megabytes: of text.
        batch_size: rows of a step.
        seed: of their order.
    """
    rows, _ = python_rows(vocab_size, megabytes)
    return Batches(rows, BatchConfig(batch_size=batch_size, seed=seed))


def held_out_bits(model: Any, *, vocab_size: int, megabytes: float) -> float:
    """Return the bits that a byte of the held-out documents costs.

    Args:
        model: a transformer.
        vocab_size: of its tokenizer.
        megabytes: of text.
    """
    _, rows = python_rows(vocab_size, megabytes)
    texts = python_text(megabytes).held_out
    n_bytes = sum(len(text.encode()) for text in texts)
    return bits_per_byte(float(loss_of_rows(model, rows).total), n_bytes)


def _report(
    model: Any, tokenizer: SubwordTokenizer, *, megabytes: float
) -> dict[str, Any]:
    bits = held_out_bits(
        model, vocab_size=tokenizer.vocab_size, megabytes=megabytes
    )
    return {"bits_per_byte": bits}


def python_source_model(  # noqa: PLR0913
    *,
    n_steps: int = 1200,
    batch_size: int = 16,
    d_model: int = 256,
    n_layers: int = 6,
    vocab_size: int = 4096,
    megabytes: float = 12.0,
    lr: float = 0.02,
    dtype: str = "float32",
    seed: int = 0,
    n_micro: int = 1,
    device: str = "cpu",
) -> Recipe:
    """Train on Python's documentation and source, on a laptop.

    Args:
        n_steps: of the run.
        batch_size: rows of a step, 256 tokens each.
        d_model: width D.
        n_layers: blocks L.
        vocab_size: of the tokenizer.
        megabytes: of text, with what is held out of it.
        lr: peak learning rate of the matrices.
        dtype: of matrix products.
        seed: of weights and order.
        n_micro: parts of a step, for memory.
        device: where to train.
    """
    text: dict[str, Any] = {"vocab_size": vocab_size, "megabytes": megabytes}
    run = Run(
        model=small_model(vocab_size, d_model, n_layers, n_tokens=N_TOKENS),
        batches=partial(
            python_batches, **text, batch_size=batch_size, seed=seed
        ),
        n_steps=n_steps,
        optimizer=small_optimizer(lr, dtype),
        schedule=small_schedule(n_steps),
        dtype=dtype,
        seed=seed,
        n_micro=n_micro,
        device=device,
        evaluate=partial(held_out_bits, **text),
        evaluate_every=max(1, n_steps // 12),
        save_every=100,
    )
    return Recipe(
        name="python-source",
        run=run,
        tokenizer=partial(python_tokenizer, vocab_size, megabytes),
        n_tokens=N_TOKENS,
        batch_size=batch_size,
        report=partial(_report, megabytes=megabytes),
    )
