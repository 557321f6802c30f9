"""Tokenizers of every family, and tests of a distribution."""

from functools import cache

import pytest
import torch
from scipy.stats import chisquare

from scratchlm.inference.sampling.history import History
from scratchlm.text.subwords.character_bpe.merging import ScoredMerges
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.joining import (
    BYTE_NAMES,
    FaceJoining,
    SentencePieceJoining,
)
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer

MARK = "\u2581"
TEXTS = ["she sells sea shells by the sea 海の貝 🐚 \ufffd naïve\n"] * 3
SPECIAL = ["<|endoftext|>"]
NAMES = ["<unk>", MARK, MARK * 2, "a", "b", MARK + "a", "ab", "é", "\ufffd"]
SENTENCEPIECE = {
    "unknown": "<unk>",
    "surface": " ? ",
    "control": frozenset({"</s>"}),
    "byte_fallback": True,
}
REPLACE = {"type": "Replace", "pattern": {"String": MARK}, "content": " "}
BYTES, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}


def strip(start, stop):
    return {"type": "Strip", "content": " ", "start": start, "stop": stop}


def in_turn(*decoders):
    return FaceJoining(
        decoder={"type": "Sequence", "decoders": list(decoders)}
    )


JOININGS = {
    "sentencepiece": SentencePieceJoining(**SENTENCEPIECE, dummy_prefix=True),
    "sentencepiece-extra": SentencePieceJoining(
        **SENTENCEPIECE, dummy_prefix=True, drop_extra=True
    ),
    "sentencepiece-plain": SentencePieceJoining(**SENTENCEPIECE),
    "llama": in_turn(REPLACE, BYTES, FUSE, strip(1, 0)),
    "strip-both": in_turn(REPLACE, BYTES, FUSE, strip(2, 1)),
    "metaspace": FaceJoining(
        decoder={"type": "Metaspace", "replacement": MARK}
    ),
    "spaces": FaceJoining(decoder=None),
}


def joined(name):
    """A tokenizer of a few tokens and 256 bytes, with a way to join them."""
    names = [*NAMES, *BYTE_NAMES]
    return CharacterBPETokenizer(
        pattern=r"[\s\S]+",
        special_tokens={"</s>": len(names)},
        joining=JOININGS[name],
        vocab={name: i for i, name in enumerate(names)},
        merges=ScoredMerges(scores={}),
        byte_fallback=True,
        unknown="<unk>",
    )


def trained(name):
    options = {"special_tokens": SPECIAL, "workers": 1}
    if name == "bpe":
        return BPETokenizer.train(TEXTS, 280, pattern="gpt2", **options)
    if name == "wordpiece":
        return WordPieceTokenizer.train(TEXTS, 80, **options)
    bytes_too = name == "unigram"
    return UnigramTokenizer.train(
        TEXTS, 330 if bytes_too else 60, byte_fallback=bytes_too, **options
    )


FAMILIES = ["bpe", "wordpiece", "unigram", "unigram-unknown", *JOININGS]


@pytest.fixture(scope="session")
def tokenizers():
    """By name, one tokenizer of each family."""
    return {
        name: joined(name) if name in JOININGS else trained(name)
        for name in FAMILIES
    }


@pytest.fixture(scope="session", params=FAMILIES)
def tokenizer(request, tokenizers):
    """Each of them in turn."""
    return tokenizers[request.param]


@pytest.fixture(scope="session")
def known():
    """The ids of a tokenizer that stand for something."""

    def stands(tokenizer, i):
        try:
            tokenizer.decode([i])
        except ValueError:
            return False
        return True

    def ids(tokenizer):
        return [i for i in range(tokenizer.vocab_size) if stands(tokenizer, i)]

    return cache(ids)


@pytest.fixture
def drawn():
    """How often each token is drawn from one row of logits, by rows of a
    batch that all have these logits."""

    def count(sampler, logits, n, prompt=(), written=()):
        history = History([prompt] * n)
        for token in written:
            history.append([token] * n)
        tokens = sampler(logits.expand(n, -1), history)
        return torch.bincount(tokens, minlength=len(logits))

    return count


@pytest.fixture
def assert_drawn_as():
    """Refuse counts that probabilities give less than once in 10,000."""

    def check(counts, probabilities):
        possible = probabilities > 0
        assert not counts[~possible].any()
        p = probabilities[possible].double()
        expected = p / p.sum() * counts.sum()
        assert expected.min() > 5, "too few draws for this test"
        if possible.sum() > 1:
            found = chisquare(counts[possible], expected)
            assert found.pvalue > 1e-4

    return check
