"""What the two families share: special tokens, streams, batches."""

import copy
import random
from itertools import pairwise

import numpy as np
import pytest

from scratchlm.text import parallel, subword
from scratchlm.text.bpe import BPETokenizer
from scratchlm.text.corpora import python_docs
from scratchlm.text.unigram import UnigramTokenizer
from scratchlm.text.wordpiece import WordPieceTokenizer

END = "<|endoftext|>"
DOCS = list(python_docs(60_000))
TEXT = "\n\n".join(DOCS)[:40_000]
FAMILIES = (WordPieceTokenizer, UnigramTokenizer)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda c: c.__name__)
def tokenizer(request):
    return request.param.train(DOCS, 900, special_tokens=[END])


def test_special_tokens_are_refused_unless_allowed(tokenizer):
    """A user's text that ends the document."""
    i = tokenizer.special_tokens[END]
    with pytest.raises(ValueError, match="allowed_special"):
        tokenizer.encode(f"a{END}b")
    ids = tokenizer.encode(f"a{END}b", allowed_special="all")
    assert ids == [*tokenizer.encode("a"), i, *tokenizer.encode("b")]
    assert tokenizer.decode(ids) == f"a{END}b"
    assert i not in tokenizer.encode_ordinary(f"a{END}b")


@pytest.mark.parametrize("pattern", ["gpt2", "o200k", r"\S+|\s+"])
@pytest.mark.parametrize("family", FAMILIES)
def test_stream_equals_whole(family, pattern):
    """A cut inside a word, which gives other tokens."""
    tokenizer = family.train(DOCS, 700, pattern=pattern, special_tokens=[END])
    text = TEXT[:20_000] + END + TEXT[20_000:]
    rng = random.Random(0)
    cuts = sorted(rng.choices(range(len(text)), k=200))
    parts = [text[a:b] for a, b in pairwise([0, *cuts, None])]
    streamed = list(tokenizer.encode_iterable(parts, allowed_special={END}))
    assert streamed == tokenizer.encode(text, allowed_special={END})


def test_batches_equal_single_texts(tokenizer, monkeypatch):
    """Results in the order in which the processes finish, or a tokenizer
    that does not survive the way into another process."""
    monkeypatch.setattr(parallel, "BATCH", 5000)
    expected = [tokenizer.encode(text) for text in DOCS]
    assert tokenizer.encode_batch(DOCS) == expected
    assert tokenizer.encode_batch(iter(DOCS), workers=2) == expected
    monkeypatch.setattr(subword, "SMALL_BATCH", 0)
    assert tokenizer.encode_batch(DOCS[:2]) == expected[:2]


def test_arrays_have_the_smallest_type(tokenizer):
    """Shards twice as large as need be."""
    ids = tokenizer.encode_array(TEXT)
    assert ids.dtype == np.uint16
    assert ids.tolist() == tokenizer.encode(TEXT)
    (same,) = tokenizer.encode_arrays([TEXT])
    assert same.dtype == np.uint16
    assert same.tolist() == tokenizer.encode_ordinary(TEXT)


def test_a_copy_is_the_same(tokenizer):
    """Caches copied with the state, or a state that is lost."""
    assert copy.copy(tokenizer).fingerprint == tokenizer.fingerprint
    assert copy.deepcopy(tokenizer).encode(TEXT) == tokenizer.encode(TEXT)


def test_the_interface_is_that_of_byte_pair_encoding():
    """A caller who passes any tokenizer, and misses a method."""
    wanted = {
        name for name in vars(BPETokenizer) if not name.startswith("_")
    } - {"from_tiktoken", "to_tiktoken", "from_gpt2_files", "decode_bytes"}
    wanted |= {"fingerprint", "vocab_size", "special_tokens", "pattern"}
    for family in FAMILIES:
        missing = {
            name
            for name in wanted
            if not hasattr(family, name)
            and name not in family.__dataclass_fields__
        }
        assert not missing
