"""Arguments that look right and are not."""

import pytest

from scratchlm.foundation.arguments import not_one_string, one_of


def test_a_string_is_no_list_of_strings():
    """A text that is cleaned, split or trained on letter by letter."""
    with pytest.raises(ValueError, match=r"texts is one .*texts, \[text\]"):
        not_one_string("a text")
    with pytest.raises(ValueError, match=r"items is one .*items, \[item\]"):
        not_one_string("a question", "items")
    not_one_string(["a text"])
    not_one_string(iter([]))


def test_a_word_of_no_list_is_named():
    """A misspelt option that is taken for the other one."""
    with pytest.raises(ValueError, match="keep is 'frist'; give 'first' or"):
        one_of("keep", "frist", ("first", "longest"))
    one_of("keep", "first", ("first", "longest"))
