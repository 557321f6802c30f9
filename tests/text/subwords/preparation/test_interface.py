from scratchlm.text.subwords.preparation.interface import Plain, cut


def test_plain_text_is_cut_at_what_is_allowed_only():
    """A special token found in text that should stay text."""
    ids = {"<s>": 1, "<s>s": 2}
    assert list(Plain().parts("a<s>b", {})) == ["a<s>b"]
    assert list(Plain().parts("<s>a<s>s", ids)) == [1, "a", 2]
    assert list(cut("", ids)) == []
    assert Plain().identity() is None
