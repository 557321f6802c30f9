"""What happens to text before it is cut, and who says so."""

import dataclasses

import pytest

from scratchlm.text.tokenizer.added_tokens import Matching
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.frame import Frame
from scratchlm.text.tokenizer.normalizers import UnicodeForm
from scratchlm.text.tokenizer.preparation import Preparation, TextReader

NFC = UnicodeForm("NFC")
LATE = Matching(normalized=True)


def test_a_token_of_raw_text_is_found_first():
    """A mark behind a token that composes with the token's last sign."""
    preparation = Preparation(
        normalizers=(NFC,),
        added_tokens={"e\u0301x": 1},
        matching={"e\u0301x": LATE},
    )
    reader = TextReader({"<s>": 0}, preparation)
    assert [*reader.cut("<s>\u0338\u00e9x")] == [
        ("", "<s>"),
        ("\u0338", "e\u0301x"),
        ("", ""),
    ]


def test_a_space_goes_before_each_part():
    """A space before the first word alone, or before nothing."""
    reader = TextReader({"<s>": 0}, Preparation(prefix_space=True))
    assert [*reader.cut("a<s> b<s>")] == [
        (" a", "<s>"),
        (" b", "<s>"),
        ("", ""),
    ]


def test_nothing_is_to_be_done():
    """GPT-2's special token is looked for in normalised text, and nothing
    normalises it: no reason to hold a stream."""
    late = Preparation(matching={"<s>": LATE})
    assert Preparation().is_trivial({"<s>": 0})
    assert late.is_trivial({"<s>": 0})
    assert not late.is_trivial({"<s>": 0, "<t>": 1})
    assert not Preparation(normalizers=(NFC,)).is_trivial({})


def test_parts_that_do_not_fit_are_refused():
    """A token of which nobody knows whether it is special."""
    plain = BPETokenizer.train(["aab"], 257, special_tokens=["<s>"])
    for part, message in (
        (
            {"preparation": Preparation(added_tokens={"<s>": 9})},
            "give it once",
        ),
        ({"preparation": Preparation(added_tokens={"x": 98})}, "same id"),
        ({"frame": Frame(after=("</s>",))}, "'</s>', which is not"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(plain, **part)
    with pytest.raises(ValueError, match="added token is empty"):
        Preparation(added_tokens={"": 1})


def test_preparation_and_frame_are_part_of_the_identity():
    """Shards continued with a tokenizer that gives other ids."""
    plain = BPETokenizer.train(["aab"], 257, special_tokens=["<s>"])
    others = [
        dataclasses.replace(
            plain, preparation=Preparation(normalizers=(NFC,))
        ),
        dataclasses.replace(plain, frame=Frame(before=("<s>",))),
    ]
    assert len({t.fingerprint for t in (plain, *others)}) == 3
