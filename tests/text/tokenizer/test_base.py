"""What all families share: special tokens, streams, batches, arrays."""

import copy
import dataclasses
import pickle
import random
from itertools import pairwise

import numpy as np
import pytest

from scratchlm.foundation import parallel
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer

END, TURN = "<|endoftext|>", "<|end"
DOCS = list(python_docs(60_000))
TEXT = "\n\n".join(DOCS)[:40_000]
FAMILIES = (BPETokenizer, WordPieceTokenizer, UnigramTokenizer)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda c: c.__name__)
def tokenizer(request):
    return request.param.train(DOCS, 900, special_tokens=[END, TURN])


@pytest.mark.parametrize(
    "encode",
    [
        lambda tokenizer, text: tokenizer.encode(text),
        lambda tokenizer, text: tokenizer.encode(text, allowed_special={TURN}),
        lambda tokenizer, text: tokenizer.encode_array(text),
        lambda tokenizer, text: tokenizer.encode_batch([TEXT, text]),
        lambda tokenizer, text: [*tokenizer.encode_iterable(text)],
    ],
)
def test_special_text_raises_unless_allowed(tokenizer, encode):
    """Text from a user that forges the end of a document."""
    with pytest.raises(ValueError, match=r"special token '<\|end.*allowed"):
        encode(tokenizer, f"a{END}b")


def test_special_tokens_are_one_id_or_plain_text(tokenizer):
    """A special token that merges with its neighbours, or an ordinary text
    that ends the document."""
    i = tokenizer.special_tokens[END]
    ids = tokenizer.encode(f"a{END}b", allowed_special="all")
    assert ids == [*tokenizer.encode("a"), i, *tokenizer.encode("b")]
    assert tokenizer.decode(ids) == f"a{END}b"
    assert i not in tokenizer.encode_ordinary(f"a{END}b")


def test_longest_special_token_wins(tokenizer):
    """The regular expression takes the first alternative, not the longest."""
    ids = tokenizer.encode(END + TURN, allowed_special="all")
    assert ids == [tokenizer.special_tokens[name] for name in (END, TURN)]


def test_one_special_token_given_as_a_string(tokenizer):
    """A string taken for the set of its letters, so nothing is allowed."""
    with pytest.raises(ValueError, match="collection"):
        tokenizer.encode("", allowed_special=END)


def test_lone_surrogates_are_replaced(tokenizer):
    """UnicodeEncodeError on text that json.loads happily makes."""
    ids = tokenizer.encode("a\ufffdb")
    assert tokenizer.encode("a\ud800b") == ids
    assert tokenizer.encode_batch(["a\ud800b"]) == [ids]
    assert list(tokenizer.encode_iterable("a\ud800b")) == ids


@pytest.mark.untraced
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


@pytest.mark.untraced
def test_batches_equal_single_texts(tokenizer, monkeypatch):
    """Results in the order in which the processes finish, or a tokenizer
    that does not survive the way into another process."""
    monkeypatch.setattr(parallel, "BATCH", 5000)
    expected = [tokenizer.encode(text) for text in DOCS]
    assert tokenizer.encode_batch(DOCS) == expected
    assert tokenizer.encode_batch(iter(DOCS), workers=2) == expected
    with pytest.raises(ValueError, match="workers is 0"):
        tokenizer.encode_batch(DOCS, workers=0)


def test_processes_start_where_a_batch_is_large(tokenizer, monkeypatch):
    """A batch that no number of cores makes faster, or processes that start
    for a text of one word."""
    started = []

    def watch(function, items, workers):
        started.append(workers)
        return map(function, items)

    monkeypatch.setattr("scratchlm.text.tokenizer.base.ordered_map", watch)
    monkeypatch.setattr("scratchlm.text.tokenizer.base.n_workers", lambda n: n)
    for size in (len(TEXT) + 1, len(TEXT)):
        monkeypatch.setattr(SubwordTokenizer, "_small_batch", size)
        monkeypatch.setattr(type(tokenizer), "_small_batch", size)
        assert tokenizer.encode_batch([TEXT]) == [tokenizer.encode(TEXT)]
    assert started == [1, None]  # None: one for each core


def test_arrays_have_the_smallest_type(tokenizer):
    """Shards twice as large as need be, or ids that do not fit."""
    ids = tokenizer.encode_array(TEXT)
    assert ids.dtype == np.uint16
    assert ids.tolist() == tokenizer.encode(TEXT)
    (same,) = tokenizer.encode_arrays([TEXT])
    assert same.dtype == np.uint16
    assert same.tolist() == tokenizer.encode_ordinary(TEXT)
    for top, dtype in ((0xFFFF, np.uint16), (0x10000, np.uint32)):
        wide = dataclasses.replace(tokenizer, special_tokens={"<|top|>": top})
        ids = wide.encode_array("a<|top|>", allowed_special="all")
        assert ids.dtype == dtype
        assert ids[-1] == top
        assert wide.vocab_size == top + 1


@pytest.mark.untraced
def test_a_copy_is_the_same(tokenizer):
    """Caches copied with the state, or a state that is lost on the way to
    another process."""
    assert tokenizer.encode(TEXT)
    pickled = pickle.dumps(tokenizer)
    fresh = dataclasses.replace(tokenizer)
    assert len(pickled) == len(pickle.dumps(fresh))
    for twin in (copy.copy(tokenizer), pickle.loads(pickled)):
        assert twin.fingerprint == tokenizer.fingerprint
        assert twin.encode(TEXT) == tokenizer.encode(TEXT)


def test_the_state_is_frozen(tokenizer):
    """A pattern exchanged behind the back of a cache."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        tokenizer.pattern = "o200k"


def test_an_expression_that_is_known_gets_its_name(tokenizer):
    """The same tokenizer, written twice, with two fingerprints."""
    expression = tokenizer.cutter.expression
    spelled = dataclasses.replace(tokenizer, pattern=expression)
    assert spelled.pattern == "gpt2"
    assert spelled.fingerprint == tokenizer.fingerprint


def test_ids_of_nobody_are_named(tokenizer):
    """A negative id that reads the vocabulary from its end, or a KeyError
    from the depths."""
    ids = tokenizer.encode("a")
    for bad in (-1, tokenizer.vocab_size):
        with pytest.raises(ValueError, match=f"{bad} is not the id"):
            tokenizer.decode([*ids, bad])
    with pytest.raises(ValueError, match="-1 is not the id"):
        tokenizer.decode(np.array([-1]))
    assert tokenizer.decode(np.array(ids, np.uint16)) == "a"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([5000, 5000], "same id"),
        ([-2, 5000], "token id -2 is not usable; ids are 0 to"),
        ([5000, 0x110000], "token id 1114112 is not usable"),
    ],
)
def test_ids_must_be_usable(tokenizer, ids, message):
    """Two special tokens that decode as one, or an id that no character
    stands for."""
    special = dict(zip((END, TURN), ids, strict=True))
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tokenizer, special_tokens=special)


def test_a_special_token_takes_no_id_of_another(tokenizer):
    """A special token that decodes as the word whose id it took."""
    (taken,) = tokenizer.encode("a")
    with pytest.raises(ValueError, match="ids that are free, from 898 on"):
        dataclasses.replace(tokenizer, special_tokens={END: taken})


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    """A field that does not survive the file, or a family that takes the
    file of another for its own."""
    tokenizer.save(tmp_path)
    for family in FAMILIES:
        if isinstance(tokenizer, family):
            loaded = family.load(tmp_path)
            assert type(loaded) is family
            assert loaded.fingerprint == tokenizer.fingerprint
        else:
            with pytest.raises(ValueError, match="that this package can load"):
                family.load(tmp_path)
