"""Added tokens around normalisers: which is found when."""

from scratchlm.text.subwords.preparation.face import FaceText

PREPEND = {"type": "Prepend", "prepend": "_"}


def test_added_tokens_are_found_in_the_raw_text_or_behind_it():
    """A late token is looked for as its normalised spelling: "_<s>" is not
    in "_a<s>", so it is found after a token only, where text begins."""
    early = FaceText(normalizer=PREPEND, pre_tokenizer=None, added={"<x>": 7})
    assert list(early.parts("a<x>b<s>", {"<s>": 1})) == ["_a", 7, "_b", 1]
    late = FaceText(
        normalizer=PREPEND,
        pre_tokenizer=None,
        added={"<x>": 7},
        late=frozenset({"<s>"}),
    )
    assert list(late.parts("a<s><x><s>b", {"<s>": 1})) == [
        "_a<s>",
        7,
        1,
        "b",
    ]
    assert list(late.parts("<s>", {})) == ["_<s>"]
    assert late.identity() != early.identity()


def test_what_comes_first_is_where_the_text_begins():
    """A prefix behind a special token that begins the text."""
    rule = {
        "type": "Metaspace",
        "replacement": "_",
        "prepend_scheme": "first",
        "split": False,
    }
    text = FaceText(normalizer=None, pre_tokenizer=rule)
    assert list(text.parts("a b<s>c", {"<s>": 1})) == ["_a_b", 1, "c"]
    assert list(text.parts("<s>c", {"<s>": 1})) == [1, "c"]
