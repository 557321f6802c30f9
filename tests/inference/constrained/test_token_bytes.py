import random

import pytest

from scratchlm.inference.constrained.token_bytes import vocabulary_of
from scratchlm.text.subwords import UnigramTokenizer, WordPieceTokenizer
from scratchlm.text.subwords.character_bpe.merging import ScoredMerges
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.joining import (
    BYTE_NAMES,
    FaceJoining,
    SentencePieceJoining,
)
from scratchlm.text.tokenizer import BPETokenizer

TEXTS = ["The cat sat on the mat, and the other cat sat there: été 12."] * 3


@pytest.fixture(
    params=[BPETokenizer, UnigramTokenizer, WordPieceTokenizer],
    ids=lambda family: family.__name__,
    scope="module",
)
def tokenizer(request):
    return request.param.train(
        TEXTS, 300 if request.param is not WordPieceTokenizer else 60,
        special_tokens=["<|end|>"], workers=1,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_tokens_add_what_decoding_shows(tokenizer):
    """A space that a token has and its spelling hides, a byte that is
    replaced by U+FFFD."""
    vocabulary = vocabulary_of(tokenizer)
    ids = tokenizer.encode(TEXTS[0])
    added = b"".join(vocabulary.tokens[i] for i in ids[1:])
    assert TEXTS[0].encode().endswith(added)
    assert tokenizer.decode(ids[:1]).encode() + added == TEXTS[0].encode()


@pytest.mark.filterwarnings("ignore")
def test_special_tokens_spell_nothing(tokenizer):
    """<|end|> written letter by letter where the text must end."""
    vocabulary = vocabulary_of(tokenizer)
    assert tokenizer.special_tokens["<|end|>"] not in vocabulary.tokens
    assert vocabulary.size == tokenizer.vocab_size
    assert vocabulary_of(tokenizer, 999).size == 999
    with pytest.raises(ValueError, match="size is 3"):
        vocabulary_of(tokenizer, 3)


MARK = "\u2581"
NAMES = ["<unk>", MARK + "a", "ab", MARK, "é", *BYTE_NAMES]
REPLACE = {"type": "Replace", "pattern": {"String": MARK}, "content": " "}
FUSED = [REPLACE, {"type": "ByteFallback"}, {"type": "Fuse"}]


def joined(joining):
    """A tokenizer of a few tokens and 256 bytes, with a way to join them."""
    return CharacterBPETokenizer(
        pattern=r"[\s\S]+",
        special_tokens={"</s>": len(NAMES)},
        joining=joining,
        vocab={name: i for i, name in enumerate(NAMES)},
        merges=ScoredMerges(scores={}),
        byte_fallback=True,
        unknown="<unk>",
    )


def strip(start, stop):
    last = {"type": "Strip", "content": " ", "start": start, "stop": stop}
    return {"type": "Sequence", "decoders": [*FUSED, last]}


@pytest.mark.parametrize(
    "joining",
    [
        SentencePieceJoining(
            unknown="<unk>",
            surface=" ? ",
            control=frozenset({"</s>"}),
            byte_fallback=True,
            dummy_prefix=True,
        ),
        FaceJoining(decoder=strip(1, 0)),
        FaceJoining(decoder={"type": "Metaspace", "replacement": MARK}),
        FaceJoining(decoder=None),
    ],
    ids=["sentencepiece", "llama", "metaspace", "spaces"],
)
def test_a_text_that_goes_on_is_its_tokens(joining):
    """The space that only a first token loses, lost by each; a token of a
    byte that a decoder shows by its name."""
    tokenizer = joined(joining)
    vocabulary = vocabulary_of(tokenizer)
    assert 0 not in vocabulary.tokens  # the unknown one
    assert len(NAMES) not in vocabulary.tokens
    ascii_alone = [
        token
        for token, text in vocabulary.tokens.items()
        if max(text) < 0x80 or len(text) > 1
    ]
    draw = random.Random(0)
    for _ in range(50):
        ids = draw.choices(ascii_alone, k=5)
        added = b"".join(vocabulary.tokens[i] for i in ids).decode()
        head = tokenizer.decode([1])
        assert tokenizer.decode([1, *ids]) == head + added


def test_a_decoder_that_looks_back_is_refused():
    """Text that changes when more follows has no bytes token by token."""
    with pytest.raises(ValueError, match="changes text when more follows"):
        vocabulary_of(joined(FaceJoining(decoder=strip(1, 1))))
