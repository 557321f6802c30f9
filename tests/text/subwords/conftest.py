"""Tokenizers of both families, their files, and Hugging Face's reading."""

import io
from functools import cache

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer

SPECIAL = ("<|endoftext|>", "<|end of turn|>")
WITH_SPECIAL = {"special_tokens": SPECIAL}
# Family, vocabulary, share of the documents, and what else differs.
TRAININGS = {
    "wordpiece": (WordPieceTokenizer, 800, 1, WITH_SPECIAL),
    "wordpiece-o200k": (WordPieceTokenizer, 800, 1, {"pattern": "o200k"}),
    "unigram": (UnigramTokenizer, 900, 1, WITH_SPECIAL),
    "unigram-cl100k": (UnigramTokenizer, 900, 1, {"pattern": "cl100k"}),
    "unigram-unk": (
        UnigramTokenizer,
        700,
        1,
        {"byte_fallback": False, **WITH_SPECIAL},
    ),
    "whole": (UnigramTokenizer, 400, 2, {"pattern": r"[\s\S]+"}),
}


@pytest.fixture(scope="session")
def trained():
    """A function from a name to its tokenizer."""

    @cache
    def train(name):
        family, size, part, options = TRAININGS[name]
        docs = list(python_docs(20_000 // part))
        return family.train(docs, size, **options)

    return train


@pytest.fixture(scope="session")
def saved(trained, tmp_path_factory):
    """A function from a name to a folder that holds the tokenizer."""

    @cache
    def save(name):
        folder = tmp_path_factory.mktemp(name) / "new"
        trained(name).save(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def theirs(saved):
    """A function from a name to the tokenizer as tokenizers reads it."""

    @cache
    def read(name):
        return Tokenizer.from_file(str(saved(name) / "tokenizer.json"))

    return read


@pytest.fixture
def spoilt(saved, tmp_path, edited):
    """Writes a tokenizer's file with one change."""

    def written(name, place, value):
        source = saved(name) / "tokenizer.json"
        path = tmp_path / "tokenizer.json"
        path.write_text(edited(source, place, value), "utf-8")
        return path

    return written


@pytest.fixture(scope="session")
def packed():
    """A function from the name of a normalisation to its packed rules."""

    @cache
    def pack(rule):
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the boats come back with the tide"] * 9),
            model_writer=written,
            model_type="char",
            vocab_size=60,
            hard_vocab_limit=False,
            normalization_rule_name=rule,
            minloglevel=2,
        )
        model = proto.ModelProto()
        model.ParseFromString(written.getvalue())
        return model.normalizer_spec.precompiled_charsmap

    return pack
