"""What a preparation changes of a tokenizer."""

from scratchlm.text.subwords.preparation.sentencepiece import SentencePieceText
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.tokenizer.frame import Frame


def test_a_stream_is_the_whole_text():
    """A space in front of every chunk."""
    tokenizer = UnigramTokenizer(
        pattern=r"[\s\S]+",
        rewriting=SentencePieceText(dummy_prefix=True, drop_extra=True),
        scores={"\u2581": -1.0, "a": -2.0},
        vocab={"\u2581": 1, "a": 2},
        unknown_id=0,
        frame=Frame(before=("<s>",)),
        special_tokens={"<s>": 7},
    )
    chunks = ["a ", " a", "<", "s>a"]
    ids = tokenizer.encode("a a<s>a", allowed_special="all")
    assert ids == [1, 2, 1, 2, 7, 1, 2]
    streamed = tokenizer.encode_iterable(chunks, allowed_special="all")
    assert list(streamed) == ids
    assert tokenizer.encode("a", add_special_tokens=True) == [7, 1, 2]
    assert tokenizer.encode_ordinary("\ud800") == [1, 0]
    assert tokenizer.encode("") == []
