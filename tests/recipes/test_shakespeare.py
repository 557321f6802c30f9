"""A recipe whose text is a file that may be missing."""

import os
from dataclasses import replace
from itertools import islice, pairwise
from statistics import fmean

import numpy as np
import pytest
import torch

from scratchlm.interop import hf
from scratchlm.model.published import count
from scratchlm.model.transformer import Transformer
from scratchlm.recipes import make
from scratchlm.recipes.held_out_rows import spread_over
from scratchlm.recipes.shakespeare import (
    HELD_OUT_ROWS,
    VOCABULARY,
    held_out_nats,
    held_out_rows,
    shakespeare_batches,
    shakespeare_text,
    shakespeare_tokenizer,
)
from scratchlm.text.corpora import TINY_SHAKESPEARE, data_folder
from scratchlm.training.pretraining import train


@pytest.fixture(scope="module")
def folder():
    found = data_folder(os.environ)
    if found is None or not (found / TINY_SHAKESPEARE.local_name).is_file():
        pytest.skip("SCRATCHLM_DATA names no folder that has the plays")
    return found


@pytest.fixture(scope="module")
def tokenizer(folder):
    return shakespeare_tokenizer(folder)


def test_the_model_is_no_larger_than_the_published_one():
    """A comparison at equal size, in which ours grew by a matrix."""
    model = Transformer(make("shakespeare-char").run.model)
    assert 780_000 < count(model) <= 810_000


def test_every_character_has_a_token_of_its_own(folder, tokenizer):
    """A vocabulary that is larger than the model's table, and ids that are
    not those of a character each."""
    text = shakespeare_text(folder)
    characters = sorted(set(text))
    assert tokenizer.vocab_size == VOCABULARY == len(characters)
    some = text[:300] + text[-300:]
    ids = tokenizer.encode(some)
    assert ids == [characters.index(each) for each in some]
    assert tokenizer.decode(ids) == some


def test_a_foreign_character_is_one_token_each(tokenizer):
    """A prompt with an accent that has no ids, or one for a whole run."""
    assert tokenizer.encode("aéèb") == [39, 0, 0, 40]


def test_transformers_reads_the_same_ids(folder, tokenizer, tmp_path):
    """A tokenizer that cannot be published, at the end of a long run."""
    model = Transformer(make("shakespeare-char").run.model)
    hf.save(model, tokenizer, tmp_path / "model")
    loaded = hf.load(tmp_path / "model")
    some = shakespeare_text(folder)[:200]
    assert loaded.tokenizer.encode(some) == tokenizer.encode(some)


def test_no_character_that_is_trained_on_is_held_out(folder, tokenizer):
    """Validation on what the model has read."""
    text = shakespeare_text(folder)
    cut = len(text) * 9 // 10
    trained = shakespeare_batches(folder, seed=0)
    assert sum(len(rows) for rows in trained.corpora) == (cut - 1) // 64
    last = trained.corpora[0].gather(np.array([(cut - 1) // 64 - 1]))
    assert tokenizer.decode(last.targets[0]) in text[:cut]
    first = trained.corpora[0].gather(np.arange(20)).tokens.flatten()
    assert first.tolist() == tokenizer.encode(text[: len(first)])
    held = held_out_rows(folder)
    rows = held.gather(np.arange(len(held)))
    assert len(rows.tokens) == (len(text) - cut - 1) // 64
    joined = tokenizer.decode(rows.tokens.flatten())
    assert joined == text[cut : cut + len(joined)]


def test_held_out_rows_are_spread_over_the_whole_tenth(folder, tokenizer):
    """A loss on the first scenes alone, which are easier or harder."""
    text = shakespeare_text(folder)
    rest = text[len(text) * 9 // 10 :]
    held = held_out_rows(folder)
    rows = held.gather(spread_over(len(held), HELD_OUT_ROWS))
    places = [rest.index(tokenizer.decode(row)) for row in rows.tokens]
    assert len(places) == HELD_OUT_ROWS
    gaps = [b - a for a, b in pairwise(places)]
    assert min(gaps) > 0
    assert max(gaps) < 2 * len(rest) / HELD_OUT_ROWS


def test_first_steps_reduce_the_loss(folder):
    """Targets that are not the next characters, or rates that diverge."""
    run = make("shakespeare-char", {"folder": str(folder)}).run
    few = replace(run, evaluate=None)
    losses = [step.loss for step in islice(train(few), 12)]
    assert losses[0] == pytest.approx(4.17, abs=0.3)  # log of 65
    assert fmean(losses[-3:]) < losses[0] - 0.5


def test_the_held_out_loss_is_that_of_an_even_guess_at_first(folder):
    """Nats of the sum of a row, or of a part of the rows."""
    model = Transformer(make("shakespeare-char").run.model)
    torch.nn.init.zeros_(model.head.weight)
    with torch.no_grad():
        nats = held_out_nats(model, folder=folder, n_rows=70)
    assert nats == pytest.approx(4.17439, abs=1e-4)


def test_another_text_is_refused(tmp_path):
    """A folder's file of the same name, whose loss nobody can compare."""
    (tmp_path / TINY_SHAKESPEARE.local_name).write_text("To be")
    run = make("shakespeare-char", {"folder": str(tmp_path)}).run
    with pytest.raises(ValueError, match="not the file it should be"):
        run.batches()


def test_a_missing_text_says_where_to_put_it(tmp_path, monkeypatch):
    """A stack of urllib's errors where the machine has no network."""
    from scratchlm.recipes import shakespeare

    offline = replace(TINY_SHAKESPEARE, url="http://127.0.0.1:9/none")
    monkeypatch.setattr(shakespeare, "TINY_SHAKESPEARE", offline)
    monkeypatch.setattr(shakespeare, "CACHE", tmp_path / "cache")
    run = make("shakespeare-char", {"folder": str(tmp_path)}).run
    with pytest.raises(ConnectionError, match=r"tinyshakespeare\.txt"):
        run.batches()
