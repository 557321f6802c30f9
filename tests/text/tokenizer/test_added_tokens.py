from scratchlm.text.tokenizer.added_tokens import Matching, TokenFinder


def cut(text, skip=frozenset(), **flags):
    finder = TokenFinder({"<a>": "<a>", "b": "b"}, {"<a>": Matching(**flags)})
    return [*finder.cut(text, skip)]


def test_tokens_take_the_space_beside_them():
    """Space that is encoded although a token has taken it, or twice."""
    assert cut("x <a>\n y") == [("x ", "<a>"), ("\n y", "")]
    assert cut("x <a>\n y", lstrip=True)[0] == ("x", "<a>")
    assert cut("x <a>\n y", rstrip=True)[1] == ("y", "")
    both = cut("<a>  <a>", lstrip=True, rstrip=True)
    assert both == [("", "<a>"), ("", "<a>"), ("", "")]


def test_words_hold_no_single_words():
    """A token found in a longer word, or not found beside a full stop."""
    single = {"<a>": Matching(), "b": Matching(single_word=True)}
    finder = TokenFinder({"<a>": "<a>", "b": "b"}, single)
    for text in ("ab", "b\u0301", "_b", "b1"):
        assert [*finder.cut(text)] == [(text, "")]
    for text in ("b", " b.", "-b", "<a>b"):
        assert any(name == "b" for _, name in finder.cut(text))


def test_what_is_skipped_is_text_and_hides_what_it_holds():
    """The end of one token taken for another."""
    finder = TokenFinder({"<b>": "<b>", "b": "b"}, {})
    assert [*finder.cut("<b>b", frozenset({"<b>"}))] == [
        ("<b>", "b"),
        ("", ""),
    ]
