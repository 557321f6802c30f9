import pytest

from scratchlm.inference.constrained.token_bytes import vocabulary_of
from scratchlm.text.subwords import UnigramTokenizer, WordPieceTokenizer
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
