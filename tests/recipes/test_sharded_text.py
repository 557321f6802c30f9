"""Text on a disk: found, made, or missed with a message."""

import json
import re
import shlex
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from scratchlm.cli.program import main
from scratchlm.model.transformer import Transformer
from scratchlm.recipes import sharded_text
from scratchlm.recipes.held_out_rows import loss_of_rows
from scratchlm.recipes.sharded_text import (
    DocumentSpan,
    ShardedText,
    gpt2_tokenizer,
    learned,
)
from scratchlm.recipes.small_model import small_model
from scratchlm.text.corpora.public_data import TINYSTORIES
from scratchlm.text.shards import ChoppedRows, MemoryTokens, TokenShards
from scratchlm.text.tokenizer import BPETokenizer
from scratchlm.text.tokenizer.printable import ALPHABET

STORIES = [f"Story {i} of a cat that saw {i * i} birds." for i in range(60)]


@pytest.fixture
def local(tmp_path):
    """A folder of local data with TinyStories in it."""
    folder = tmp_path / "local"
    (folder / "tinystories").mkdir(parents=True)
    lines = [json.dumps({"text": text}) for text in STORIES]
    path = folder / "tinystories" / "part.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def text(tmp_path, local):
    return ShardedText(
        recipe="tinystories-30m",
        folder=tmp_path / "data",
        dataset=TINYSTORIES,
        megabytes=1,
        vocab_size=290,
        learn=partial(learned, 290),
        stream=True,
        local=local,
        n_held_out=100,
    )


def decoded(tokenizer, span):
    starts = span.document_starts()
    return [
        tokenizer.decode(
            span.ranges(np.array([a]), np.array([b - a - 1])).tolist()
        )
        for a, b in pairwise(starts)
    ]


def test_text_is_fetched_and_written_once(text, local):
    """A download for each start of the run."""
    trained_on, held_out = text.rows(16)
    (local / "tinystories" / "part.jsonl").unlink()
    tokenizer = text.tokenizer()
    parts = [
        decoded(tokenizer, rows.shards) for rows in (held_out, trained_on)
    ]
    assert parts[0] + parts[1] == STORIES
    assert 0 < len(parts[0]) < 20
    again = text.rows(16)
    assert [r.fingerprint for r in again] == [
        trained_on.fingerprint,
        held_out.fingerprint,
    ]
    assert trained_on.fingerprint != held_out.fingerprint


def test_documents_of_shards_are_read_as_those_in_memory(text):
    """Positions that are counted from the first document of all."""
    _, _ = text.rows(16)
    shards = TokenShards(text.folder / "shards")
    span = DocumentSpan(shards, 7, 31)
    memory = MemoryTokens([shards[i] for i in range(7, 31)], shards.end_id)
    assert span.n_tokens == memory.n_tokens
    ours, theirs = (ChoppedRows(each, 8) for each in (span, memory))
    numbers = np.arange(len(ours))
    assert len(theirs) == len(ours)
    np.testing.assert_array_equal(
        ours.gather(numbers).targets, theirs.gather(numbers).targets
    )
    starts, lengths = np.array([3, 0]), np.array([4, 2])
    np.testing.assert_array_equal(
        span.ranges(starts, lengths), memory.ranges(starts, lengths)
    )


@pytest.mark.parametrize("span", [(-1, 3), (3, 3), (0, 61)])
def test_documents_that_are_not_there_are_refused(text, span):
    """Rows of nothing."""
    _, _ = text.rows(16)
    with pytest.raises(ValueError, match="holds 60 documents, and none from"):
        DocumentSpan(TokenShards(text.folder / "shards"), *span)


def test_a_step_reads_no_held_out_row(text):
    """Held-out documents in the batches."""
    batches = text.batches(n_tokens=16, batch_size=4, seed=1)
    rows, held_out = text.rows(16)
    assert (
        batches.fingerprint
        != text.batches(n_tokens=16, batch_size=4, seed=2).fingerprint
    )
    assert len(batches.corpora[0]) == len(rows)
    assert batches.corpora[0].fingerprint == rows.fingerprint
    model = Transformer(small_model(290, 64, 1, n_tokens=16)).eval()
    wanted = float(loss_of_rows(model, held_out).mean())
    assert text.held_out_loss(model, n_tokens=16) == wanted


def test_missing_shards_are_made_by_what_the_message_says(
    tmp_path, local, monkeypatch
):
    """Commands in a message that nobody has ever run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRATCHLM_DATA", str(local))
    text = ShardedText(
        recipe="tinystories-30m",
        folder=tmp_path / "data",
        dataset=TINYSTORIES,
        megabytes=1,
        vocab_size=290,
        learn=partial(learned, 290),
        n_held_out=100,
    )
    with pytest.raises(ValueError, match="no finished shards") as caught:
        text.rows(16)
    said = str(caught.value)
    assert said.endswith("python -m scratchlm train tinystories-30m --stream")
    commands = re.search(r"with: (.+?); or", said)[1].split(" && ")
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "scratchlm"]
        assert main([*words[3:], "--no-progress"]) == 0
    trained_on, _ = text.rows(16)
    assert trained_on.shards.shards.manifest.n_documents == len(STORIES)


@pytest.mark.parametrize("n_held_out", [0, 10**6])
def test_a_part_without_documents_is_refused(text, n_held_out):
    """A loss of nothing, or a run on nothing."""
    object.__setattr__(text, "n_held_out", n_held_out)
    with pytest.raises(ValueError, match="are to be held out; hold out 1 or"):
        text.rows(16)


def test_ids_that_the_model_lacks_are_refused(text):
    """An index out of range, deep in an embedding."""
    _, _ = text.rows(16)
    object.__setattr__(text, "vocab_size", 280)
    with pytest.raises(ValueError, match="has 290 tokens, and the model of"):
        text.rows(16)


def test_the_tokenizer_of_gpt2_is_read_from_its_files(tmp_path, monkeypatch):
    """A tokenizer that is learned anew, whose ids nobody else has."""
    signs = [ALPHABET[byte] for byte in range(256)]
    vocab = {sign: i for i, sign in enumerate([*signs, "ab"])}
    (tmp_path / "vocab.json").write_text(
        json.dumps(vocab | {"<|endoftext|>": 257})
    )
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")

    class Here:
        def __init__(self, name):
            self.name = name

        def fetch(self, cache):
            return tmp_path / self.name

    monkeypatch.setattr(sharded_text, "GPT2_VOCAB", Here("vocab.json"))
    monkeypatch.setattr(sharded_text, "GPT2_MERGES", Here("merges.txt"))
    found = gpt2_tokenizer(iter(STORIES))
    assert isinstance(found, BPETokenizer)
    assert found.encode("ab") == [256]
    assert found.special_tokens == {"<|endoftext|>": 257}
