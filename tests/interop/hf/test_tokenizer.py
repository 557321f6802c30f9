import json

import pytest

from scratchlm.interop.hf.tokenizer import read_tokenizer
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.printable import to_printable

TEXTS = ["the cat sat on the mat", "the bat sat"] * 9
SIZES = {BPETokenizer: 260, WordPieceTokenizer: 30, UnigramTokenizer: 270}


@pytest.mark.parametrize("family", SIZES)
def test_each_family_is_found_by_its_kind(family, tmp_path):
    """A unigram model read as byte pairs."""
    # No larger than that, so that so little text is enough.
    tokenizer = family.train(TEXTS, SIZES[family])
    tokenizer.save(tmp_path)
    again = read_tokenizer(tmp_path)
    assert type(again) is family
    assert again.fingerprint == tokenizer.fingerprint


def test_gpt2_has_two_files(tmp_path):
    """The oldest repositories have no tokenizer.json."""
    tokenizer = BPETokenizer.train(TEXTS, 260)
    vocab = {to_printable(t): i for t, i in tokenizer.vocab.items()}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    assert read_tokenizer(tmp_path) is None
    lines = [" ".join(map(to_printable, pair)) for pair in tokenizer.merges]
    (tmp_path / "merges.txt").write_text("\n".join(lines))
    assert read_tokenizer(tmp_path).encode("the mat") == tokenizer.encode(
        "the mat"
    )


def test_no_tokenizer_is_none(tmp_path):
    """A model that cannot be loaded because it is only a model."""
    assert read_tokenizer(tmp_path) is None


@pytest.mark.parametrize("model", [{"type": "WordLevel"}, None, {}])
def test_a_tokenizer_of_another_kind_is_a_warning(model, tmp_path):
    """A list of words would keep its model from loading."""
    document = {"model": model, "pre_tokenizer": {}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.warns(UserWarning, match="use the tokenizers library"):
        assert read_tokenizer(tmp_path) is None


def test_a_corrupt_tokenizer_is_an_error(tmp_path):
    """A download that broke off, taken for a tokenizer of another kind."""
    (tmp_path / "tokenizer.json").write_text('{"model":')
    with pytest.raises(ValueError, match=r"tokenizer.json cannot be read"):
        read_tokenizer(tmp_path)
