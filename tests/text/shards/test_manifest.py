import json
from dataclasses import replace

import numpy as np
import pytest

from scratchlm.text.shards.manifest import (
    Manifest,
    Settings,
    Shard,
    ShardConfig,
    file_names,
)
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"


class Tokenizer:
    fingerprint = "f" * 64

    def __init__(self, vocab_size, special_tokens=()):
        self.vocab_size = vocab_size
        self.special_tokens = dict(special_tokens)

    def encode_arrays(self, texts):
        return [np.array([*map(ord, text)], np.int64) for text in texts]


def manifest(n_shards=2):
    settings = Settings.of(Tokenizer(300, {END: 299}), ShardConfig())
    made = Manifest(settings=settings)
    for number in range(n_shards):
        tokens, offsets = file_names(number)
        made = made.with_shard(
            Shard(
                tokens=tokens,
                offsets=offsets,
                n_documents=3,
                n_tokens=10 + number,
                tokens_sha256="a" * 64,
                offsets_sha256="b" * 64,
                documents_sha256="c" * 64,
            )
        )
    return replace(made, complete=True)


def test_read_returns_what_was_written(tmp_path):
    """A field that is written and never read, or lost on the way."""
    made = manifest()
    made.write(tmp_path)
    assert Manifest.read(tmp_path) == made
    assert (made.n_documents, made.n_tokens) == (6, 21)
    assert made.files()[:2] == [
        ("shard-00000.tokens", 20, "a" * 64),
        ("shard-00000.offsets", 32, "b" * 64),
    ]


@pytest.mark.parametrize(
    ("vocab_size", "dtype"),
    [(257, "<u2"), (1 << 16, "<u2"), ((1 << 16) + 1, "<u4")],
)
def test_two_bytes_hold_ids_up_to_65535(vocab_size, dtype):
    """The vocabulary of 65,537 whose last token wraps around to the first."""
    config = ShardConfig(end_of_text=None)
    assert Settings.of(Tokenizer(vocab_size), config).dtype == dtype


def test_the_end_must_be_a_token():
    """An end that is spelled in ordinary tokens, which any text may hold."""
    config = ShardConfig()
    with pytest.raises(ValueError, match=r"no special token.*special_tokens="):
        Settings.of(Tokenizer(300), config)
    tokenizer = BPETokenizer.train(["ab ab"], 258, special_tokens=[END])
    assert Settings.of(tokenizer, config).end_id == 257


def test_a_shard_has_room():
    """A shard of no tokens, and then another, for ever."""
    with pytest.raises(ValueError, match="shard_tokens is 0; give 1"):
        ShardConfig(shard_tokens=0)


def damaged(change):
    document = json.loads(json.dumps(manifest_document()))
    change(document)
    return json.dumps(document)


def manifest_document():
    from dataclasses import asdict

    from scratchlm.text.shards.manifest import FORMAT, VERSION

    return {"format": FORMAT, "version": VERSION} | asdict(manifest())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "its format is not"),
        ('{"format": "x"}', "its format is not"),
        (damaged(lambda d: d.update(version=2)), "its version is 2"),
        (damaged(lambda d: d.pop("shards")), "lacks 'shards'"),
        (damaged(lambda d: d["shards"][0].pop("n_tokens")), "lacks 'n_tok"),
        (damaged(lambda d: d["settings"].update(dtype="<i2")), "its dtype"),
        (damaged(lambda d: d["settings"].pop("dtype")), "lacks 'dtype'"),
        (damaged(lambda d: d.update(shards=3)), "not iterable"),
        (
            damaged(lambda d: d["shards"][1].update(tokens="/etc/passwd")),
            "shard 1 is called '/etc/passwd'",
        ),
    ],
)
def test_a_bad_manifest_is_named(tmp_path, text, message):
    """A KeyError from the depths; a file name that leads out of the
    folder."""
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json.*" + message):
        Manifest.read(tmp_path)


def test_no_manifest_is_named(tmp_path):
    """The wrong folder given, and an error about JSON."""
    with pytest.raises(ValueError, match=r"no .*manifest\.json; give"):
        Manifest.read(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"no .*manifest\.json; give"):
        Manifest.read(tmp_path / "file")
