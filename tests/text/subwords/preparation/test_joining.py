"""Decoders, against those of tokenizers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders

from scratchlm.text.subwords.preparation.joining import (
    FaceJoining,
    SentencePieceJoining,
    scheme_of,
)

MARK = "\u2581"
LLAMA = decoders.Sequence(
    [
        decoders.Replace(MARK, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ]
)
DECODERS = {
    "llama": LLAMA,
    "always": decoders.Metaspace(),
    "never": decoders.Metaspace(prepend_scheme="never"),
    "strip": decoders.Strip("a", 2, 1),
}
TOKENS = [MARK, MARK * 2 + "a", "aab", "<0x41>", "<0xC3>", "<0xA9>", " ", "é"]


def document(decoder):
    return json.loads(decoder.__getstate__())


@given(st.lists(st.sampled_from(TOKENS), max_size=8))
def test_joins_as_tokenizers_does(tokens):
    """A mark of the second token dropped, bytes joined over a token."""
    for decoder in DECODERS.values():
        ours = FaceJoining(decoder=document(decoder))
        assert ours.join(tokens) == decoder.decode(tokens)
        assert ours.identity() == document(decoder)


def test_without_a_decoder_spaces_join():
    """What tokenizers does with a file that names none."""
    assert FaceJoining(decoder=None).join(["a", "b"]) == "a b"


def test_unknown_decoders_are_refused():
    """Text that comes back changed, without a word."""
    with pytest.raises(ValueError, match=r"its decoder is .*CTC"):
        FaceJoining(decoder={"type": "CTC"})
    with pytest.raises(ValueError, match="prepend_scheme is 'odd'"):
        scheme_of({"prepend_scheme": "odd"})
    assert scheme_of({"add_prefix_space": False}) == "never"


def test_special_tokens_keep_their_names_and_hide_no_prefix():
    """A space behind <s> that the text never had."""
    joining = SentencePieceJoining(
        unknown="<unk>",
        surface=" ? ",
        control=frozenset({"<s>"}),
        dummy_prefix=True,
        byte_fallback=True,
    )
    assert joining.join(["<s>", MARK + "a", MARK + "b"]) == "<s>a b"
    assert joining.join([MARK, MARK + "b"]) == " b"
    assert (
        joining.join(["<unk>", "<0xC3>", "<0xA9>", "<0xC3>"]) == " ? é\ufffd"
    )
