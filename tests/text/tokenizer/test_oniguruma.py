"""Expressions read alike by two engines."""

import pytest
import regex
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from scratchlm.text.tokenizer.oniguruma import from_oniguruma, to_oniguruma
from scratchlm.text.tokenizer.patterns import find_pattern

TEXT = "ab12 \nfoo1234567$ ^x\n\n  abab[]&&z\n"


def theirs(expression, text):
    cut = Split(Regex(expression), "isolated").pre_tokenize_str(text)
    return [piece for piece, _ in cut]


@pytest.mark.parametrize(
    "expression",
    [
        *(r"\w+$", r"^\w+", r"\s+\Z", r"\p{N}{1,3}+", r"(?:ab|\d){1,2}+x?"),
        *(r"a|$b", r"[$^]|[^\s$]+", r"(a(b)){2}+", r"(?=a)ab|\$", r"\d{2}"),
        r"[\[\]&]+",
    ],
)
def test_both_directions_cut_alike(expression):
    """`$` before every line end, and `{1,3}+` that repeats a repetition."""
    ours = find_pattern(expression).pieces(TEXT)
    assert theirs(to_oniguruma(expression), TEXT) == ours
    read = from_oniguruma(expression.replace(r"\Z", r"\z"))
    written = expression.replace(r"\Z", r"\z")
    assert find_pattern(read).pieces(TEXT) == theirs(written, TEXT)
    assert regex.compile(read)
    assert from_oniguruma(to_oniguruma(read)) == read


@pytest.mark.parametrize(
    "expression",
    [
        r"\h+",
        r"[a&&b]",
        r"[a[bc]]",
        r"(?m:.)",
        r"(?s:.)",
        r"\R",
        r"[\h]",
        "[a",
    ],
)
def test_what_is_read_otherwise_is_refused(expression):
    """Hexadecimal digits that are white space to the other engine."""
    with pytest.raises(ValueError, match="do not read alike"):
        from_oniguruma(expression)
