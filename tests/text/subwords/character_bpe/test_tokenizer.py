"""A BPE tokenizer on characters, made by hand."""

import pickle

import pytest

from scratchlm.text.subwords.character_bpe.merging import (
    RankedMerges,
    ScoredMerges,
)
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.joining import SentencePieceJoining
from scratchlm.text.subwords.preparation.sentencepiece import SentencePieceText
from scratchlm.text.tokenizer.frame import Frame

MARK = "\u2581"
TOKENS = ["<unk>", MARK, "a", "b", MARK + "a", "ab", MARK + "ab"]
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def made(**changes):
    """A tokenizer of a few tokens, whose ids are their places."""
    names = TOKENS + (BYTES if changes.get("byte_fallback") else [])
    fields = {
        "pattern": r"[\s\S]+",
        "special_tokens": {"</s>": 300},
        "rewriting": SentencePieceText(dummy_prefix=True),
        "joining": SentencePieceJoining(
            unknown="<unk>",
            surface=" ? ",
            dummy_prefix=True,
            byte_fallback=bool(changes.get("byte_fallback")),
        ),
        "vocab": {name: i for i, name in enumerate(names)},
        "merges": ScoredMerges(
            scores={MARK + "a": -0.0, "ab": -1.0, MARK + "ab": -2.0}
        ),
        "unknown": "<unk>",
        "frame": Frame(after=("</s>",)),
    }
    return CharacterBPETokenizer(**fields | changes)


def test_merges_by_score_and_spells_the_rest():
    """Ids by hand: the mark takes the first a, and b stays alone."""
    tokenizer = made()
    assert tokenizer.encode("ab ab") == [6, 6]
    assert tokenizer.encode("bab") == [1, 3, 5]
    assert tokenizer.encode("") == []
    assert tokenizer.decode([6, 6]) == "ab ab"
    assert tokenizer.vocab_size == 301


def test_a_run_of_unknown_characters_is_one_token():
    """One id for each, which no model was trained on."""
    assert made().encode("aéèb") == [4, 0, 3]
    assert made(fuse_unknown=False).encode("aéèb") == [4, 0, 0, 3]
    assert made().decode([4, 0, 3]) == "a ? b"


def test_bytes_spell_what_has_no_token():
    """A byte of the wrong place, or bytes that never come back."""
    tokenizer = made(byte_fallback=True)
    ids = tokenizer.encode("aé")
    assert ids == [4, 7 + 0xC3, 7 + 0xA9]
    assert tokenizer.decode(ids) == "aé"
    assert tokenizer.decode(tokenizer.encode("<0x41>")) == "<0x41>"


def test_special_tokens_end_a_text():
    """No space before the second text, or the token's letters merged."""
    tokenizer = made()
    with pytest.raises(ValueError, match="special token '</s>'"):
        tokenizer.encode("a</s>b")
    text, all_of_it = "a</s>b", {"allowed_special": "all"}
    assert tokenizer.encode(text, **all_of_it) == [4, 300, 1, 3]
    assert list(tokenizer.encode_iterable(text, **all_of_it)) == [4, 300, 1, 3]
    assert tokenizer.encode_batch([text, "a"], **all_of_it)[1] == [4]
    assert tokenizer.encode_ordinary("</s>") == [1, 0]
    assert tokenizer.encode_arrays(["ab"])[0].tolist() == [6]


def test_what_a_library_adds_is_added_on_request():
    """</s> behind every text of a corpus, or behind none of T5's."""
    tokenizer = made()
    assert tokenizer.encode("a", add_special_tokens=True) == [4, 300]


def test_is_the_same_in_another_process():
    """A part that does not travel."""
    tokenizer = made(byte_fallback=True)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.fingerprint == tokenizer.fingerprint
    assert again.fingerprint != made().fingerprint
    assert again.encode("é") == tokenizer.encode("é")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"joining": None}, "joining"),
        ({"unknown": None}, "no id"),
        ({"merges": RankedMerges(pairs=(("a", "c"),))}, "makes 'ac'"),
    ],
)
def test_parts_that_do_not_fit(changes, message):
    """An error in the middle of a corpus."""
    with pytest.raises(ValueError, match=message):
        made(**changes)
