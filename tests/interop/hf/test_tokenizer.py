import json

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from scratchlm.interop.hf.tokenizer import read_tokenizer
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
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


def test_bpe_on_characters_is_told_from_bpe_on_bytes(tmp_path):
    """Llama 2's tokenizer sent to another library, and its model alone."""
    names = ["<unk>", "\u2581", "a", "\u2581a"]
    theirs = Tokenizer(
        models.BPE(
            {name: i for i, name in enumerate(names)},
            [("\u2581", "a")],
            unk_token="<unk>",
            fuse_unk=True,
        )
    )
    theirs.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer(tmp_path)
    assert type(ours) is CharacterBPETokenizer
    assert ours.encode("a aéé") == theirs.encode("a aéé").ids


def test_a_unigram_model_of_sentencepiece_is_read(tmp_path):
    """A T5 tokenizer sent to another library."""
    rows = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    rows += [("\u2581a", -1.0), ("\u2581", -2.0), ("b", -3.0)]
    theirs = Tokenizer(models.Unigram(rows, unk_id=2))
    theirs.normalizer = normalizers.NFKC()
    theirs.pre_tokenizer = pre_tokenizers.Metaspace()
    theirs.decoder = decoders.Metaspace()
    theirs.add_special_tokens([name for name, _ in rows[:3]])
    theirs.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer(tmp_path)
    assert type(ours) is UnigramTokenizer
    ours.save(tmp_path / "again")
    again = Tokenizer.from_file(str(tmp_path / "again" / "tokenizer.json"))
    for text in ["a ab", "\uff41\u3000b", "aéé<unk>", "<pad>b", "éb"]:
        ids = ours.encode(text, allowed_special="all")
        framed = ours.encode(
            text, allowed_special="all", add_special_tokens=True
        )
        assert theirs.encode(text).ids == framed
        assert again.encode(text).ids == framed
        assert theirs.decode(ids, skip_special_tokens=False) == ours.decode(
            ids
        )


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
