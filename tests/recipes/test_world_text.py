"""TinyWorld's text as a run reads it."""

import re

import numpy as np
import pytest

from scratchlm.recipes.registry import make
from scratchlm.recipes.world_report import held_out_documents
from scratchlm.recipes.world_text import (
    END,
    N_TOKENS,
    WORLD,
    world_batches,
    world_tokenizer,
)
from scratchlm.text.tinyworld.world import TinyWorld

# Training and packing thousands of documents, for all tests here once.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batches():
    """The batches of the whole smallest run."""
    return make("tinyworld-tiny").run.batches()


def test_digits_are_single_tokens():
    """A sum whose digits do not stand under each other."""
    tokenizer = world_tokenizer(2048)
    ids = tokenizer.encode("17 + 285 = 302")
    pieces = [tokenizer.decode([i]) for i in ids]
    assert [p for p in pieces if any(map(str.isdigit, p))] == [*"17285302"]


def test_words_are_single_tokens():
    """A pattern or a corpus by which words of the world stay in pieces."""
    tokenizer = world_tokenizer(2048)
    words = [
        word
        for document in held_out_documents(300)
        for word in re.findall(r" [^\W\d_]+", document.text)
    ]
    whole = [len(tokenizer.encode(word)) == 1 for word in words]
    assert sum(whole) > 0.95 * len(words)


def test_no_row_comes_twice(batches):
    """Rows that are fewer than a run reads, so that an epoch begins."""
    run = make("tinyworld-tiny").run
    n_rows = run.n_steps * batches.config.batch_size
    _, numbers = batches.order(0, n_rows)
    assert len(np.unique(numbers)) == n_rows
    assert len(batches.corpora[0]) < 1.2 * n_rows


def test_no_document_comes_twice(batches):
    """A document that stands in two rows, or in none."""
    rows = batches.corpora[0]
    n = make("tinyworld-tiny").run.batches.keywords["n_documents"]
    tokenizer = world_tokenizer(2048)
    every = rows.gather(np.arange(len(rows)))
    assert every.targets.shape[1] == N_TOKENS
    ends = (every.targets == tokenizer.special_tokens[END]).sum()
    assert ends == n
    assert (every.targets >= 0).sum() == rows.shards.n_tokens
    # Every piece of a row begins its document: none was cut.
    begins = (every.positions == 0) & (every.targets >= 0)
    assert begins.sum() == n


def test_held_out_documents_are_drawn_apart():
    """Held-out documents that are the first ones to be trained on."""
    tokenizer = world_tokenizer(2048)
    few = world_batches(vocab_size=2048, n_documents=40, batch_size=1, seed=0)
    rows = few.corpora[0]
    starts = rows.shards.document_starts()
    ids = rows.shards.windows(starts[:1], int(starts[-1]))[0].tolist()
    texts = tokenizer.decode(ids).split(END)[:-1]
    assert len(texts) == 40
    assert texts == [d.text for d in TinyWorld(WORLD).documents(1, 40)]
    long = {text for text in texts if len(text) > 100}
    assert not long & {d.text for d in held_out_documents(300)}
