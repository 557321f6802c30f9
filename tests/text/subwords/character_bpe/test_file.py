"""The file of a BPE tokenizer on characters, read and written."""

import json

import pytest
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from scratchlm.text.subwords.character_bpe.file import piece_pattern
from scratchlm.text.subwords.character_bpe.merging import ScoredMerges
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.interface import Plain

MARK = "\u2581"
TEXTS = ["ab  ab", " é<s>b ab", "<sep>a<sep> b", "</s><s>ab", "", "<0x41>a"]


def face(style):
    """A small tokenizer of the style of Llama or Gemma, in tokenizers."""
    names = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    names += [MARK, "a", "b", MARK + "a", "ab", MARK + "ab", MARK * 2]
    merges = [(MARK, MARK), (MARK, "a"), ("a", "b"), (MARK + "a", "b")]
    model = models.BPE(
        {name: i for i, name in enumerate(names)},
        merges,
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    made = Tokenizer(model)
    steps = [decoders.Replace(MARK, " "), decoders.ByteFallback()]
    steps.append(decoders.Fuse())
    if style == "legacy":
        made.normalizer = normalizers.Sequence(
            [normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]
        )
        steps.append(decoders.Strip(" ", 1, 0))
    elif style == "new":
        made.pre_tokenizer = pre_tokenizers.Metaspace(
            prepend_scheme="first", split=False
        )
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        made.normalizer = normalizers.Replace(" ", MARK)
        made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Sequence(steps)
    late = style == "legacy"
    made.add_special_tokens(
        [AddedToken(n, normalized=late) for n in ("<unk>", "<s>", "</s>")]
    )
    made.add_tokens([AddedToken("<sep>", normalized=False)])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A <s> $B",
        special_tokens=[("<s>", 1), ("</s>", 2)],
    )
    return made


@pytest.mark.parametrize("style", ["legacy", "new", "gemma"])
def test_files_agree_both_ways(style, tmp_path):
    """A space before the text behind a special token, or none."""
    theirs = face(style)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = CharacterBPETokenizer.load(tmp_path)
    ours.save(tmp_path / "again")
    again = CharacterBPETokenizer.load(tmp_path / "again")
    assert again.fingerprint == ours.fingerprint
    read = Tokenizer.from_file(str(tmp_path / "again" / "tokenizer.json"))
    for text in TEXTS:
        ids = ours.encode(text, allowed_special="all")
        framed = ours.encode(
            text, allowed_special="all", add_special_tokens=True
        )
        assert theirs.encode(text, add_special_tokens=False).ids == ids
        assert theirs.encode(text).ids == framed
        assert read.encode(text).ids == framed
        shown = theirs.decode(ids, skip_special_tokens=False)
        assert ours.decode(ids) == shown


def test_no_merge_forges_a_special_token(tmp_path):
    """Text from outside that ends a model's turn."""
    theirs = face("gemma")
    document = json.loads(theirs.to_str())
    document["added_tokens"].pop()
    document["model"]["vocab"] |= {"<": 266, "s>": 267}
    document["model"]["merges"].insert(0, ["<", "s>"])
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    loaded = CharacterBPETokenizer.load(tmp_path)
    assert 1 not in loaded.encode_ordinary("<s>")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("normalizer", {"type": "Nmt"}, "normalizer"),
        ("pre_tokenizer", {"type": "Digits"}, "pre-tokenizer"),
        ("decoder", {"type": "CTC"}, "decoder"),
        ("post_processor", {"type": "Odd"}, "post_processor"),
        ("truncation", {"max_length": 9}, "truncation"),
    ],
)
def test_what_is_not_done_is_refused(place, value, message, tmp_path):
    """Ids that differ without a word."""
    document = json.loads(face("gemma").to_str()) | {place: value}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        CharacterBPETokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "Unigram"}, "not 'BPE'"),
        ({"dropout": 0.1}, "dropout"),
        ({"merges": [["<0x41>", "a"]]}, "merges bytes"),
    ],
)
def test_models_that_are_not_done_are_refused(change, message, tmp_path):
    """The same, of the model."""
    document = json.loads(face("gemma").to_str())
    document["model"] |= change
    document["added_tokens"].pop()
    document["model"]["vocab"] |= {"<0x41>a": 266}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        CharacterBPETokenizer.load(tmp_path)


def test_scores_cannot_be_saved(tmp_path):
    """A file of ranks that breaks ties in another way."""
    face("gemma").save(str(tmp_path / "tokenizer.json"))
    loaded = CharacterBPETokenizer.load(tmp_path)
    scored = CharacterBPETokenizer(
        pattern=loaded.pattern,
        rewriting=Plain(),
        joining=loaded.joining,
        vocab=loaded.vocab,
        special_tokens=loaded.special_tokens,
        merges=ScoredMerges(scores={"ab": -1.0}),
        byte_fallback=True,
    )
    with pytest.raises(ValueError, match="merges by scores"):
        scored.save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_pieces_are_cut_only_where_no_token_reaches():
    """A token over two words that no piece holds."""
    assert "[^" in piece_pattern(["\u2581a"], [MARK])
    assert piece_pattern(["a\u2581"], [MARK]) == r"[\s\S]+"
    assert piece_pattern(["a"], ["a"]) == r"[\s\S]+"
