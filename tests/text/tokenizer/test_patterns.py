"""Patterns are the field's, and chunks never split a piece."""

from functools import cache
from itertools import groupby
from unicodedata import category as category_of

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from scratchlm.text.tokenizer.patterns import (
    CL100K,
    GPT2,
    PATTERNS,
    Pattern,
    find_pattern,
)

awkward = st.text(
    st.sampled_from("aZé1٣ \t\n\r\x0b\x1c\x85\u3000'/,!sltrSTLR日本\u0301😀_ſ")
)
names = st.sampled_from([*PATTERNS])


def apart(pattern: Pattern, text: str) -> list[str]:
    """The pieces of each chunk by itself."""
    chunks = pattern.split(text)
    return [piece for chunk in chunks for piece in pattern.pieces(chunk)]


def pieces_by_tiktoken(name: str, text: str) -> list[str]:
    """tiktoken does not show its pieces, so each is made a special case:
    with every piece of ours in its vocabulary, it gives one id for each."""
    pieces = sorted({*PATTERNS[name].pieces(text)})
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [p.encode() for p in pieces if len(p.encode()) > 1]
    encoding = tiktoken.Encoding(
        "pieces",
        pat_str=PATTERNS[name].expression,
        mergeable_ranks={token: i for i, token in enumerate(tokens)},
        special_tokens={},
    )
    ids = encoding.encode_ordinary(text)
    return [tokens[i].decode(errors="replace") for i in ids]


def test_expressions_are_those_of_tiktoken(monkeypatch):
    """A slip of the pen in a pattern."""
    for loader in (
        "load_tiktoken_bpe",
        "data_gym_to_mergeable_bpe_ranks",
    ):
        monkeypatch.setattr(openai_public, loader, lambda *_, **__: {})
    theirs = {
        "gpt2": openai_public.gpt2(),
        "cl100k": openai_public.cl100k_base(),
        "o200k": openai_public.o200k_base(),
    }
    for name, pattern in PATTERNS.items():
        assert pattern.expression == theirs[name]["pat_str"]


# Llama 3's with {1,3} behind \p{N}, Qwen 2's and 3's without, as transformers
# 5.24 has them (integrations/gguf and models/qwen2).
LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@given(awkward)
def test_llama_and_qwen_cut_as_the_page_says(text):
    """The page makes both of cl100k's pattern. Without the first change,
    white space at the end of a text is cut in one piece too few."""
    llama = CL100K.replace(r"|\s++$", "")
    qwen = llama.replace(r"\p{N}{1,3}+", r"\p{N}")
    for ours, theirs in [(llama, LLAMA), (qwen, LLAMA.replace("{1,3}", ""))]:
        found = find_pattern(ours).pieces(text)
        assert found == find_pattern(theirs).pieces(text)


@given(awkward)
def test_llama_cuts_as_cl100k_inside_a_text(text):
    """The page says that the two differ in white space at the end alone."""
    inside = f"{text}a"
    theirs = find_pattern(LLAMA).pieces(inside)
    assert PATTERNS["cl100k"].pieces(inside) == theirs


@given(awkward)
def test_possessive_repetition_changes_no_cut(text):
    """Where a repetition had to give a character back, `++` would lose a
    match that `+` finds."""
    plain = find_pattern(GPT2.replace("++", "+"))
    assert plain.pieces(text) == PATTERNS["gpt2"].pieces(text)


@pytest.mark.parametrize("sign", ["7", "٣", "²", "½", "Ⅻ"])
@pytest.mark.parametrize("name", ["gpt2", "cl100k", "o200k"])
def test_every_sign_for_a_number_is_one(name, sign):
    r"""`\p{N}` is more than the decimal digits, which `\d` would match."""
    assert PATTERNS[name].pieces(f"{sign}4") == [f"{sign}4"]


@pytest.mark.parametrize(
    ("name", "text", "pieces"),
    [
        ("gpt2", "I'll pay 12345", "I|'ll| pay| 12345"),
        ("cl100k", "I'LL pay 12345", "I|'LL| pay| |123|45"),
        ("o200k", "I'll pay fooBar", "I'll| pay| foo|Bar"),
        ("gpt2", "a  b\n\n  c", "a| | b|\n\n | c"),
        ("cl100k", "a(\n  b", "a|(\n| | b"),
        ("o200k", "a,\n/b", "a|,\n/|b"),
        ("gpt2", "日本語 x", "日本語| x"),
    ],
)
def test_pieces(name, text, pieces):
    """What the chapter says each pattern does."""
    assert find_pattern(name).pieces(text) == pieces.split("|")


@settings(deadline=None, max_examples=1000)
@given(names, st.one_of(st.text(), awkward))
def test_chunks_fall_into_the_same_pieces(name, text):
    """A chunk that ends inside a piece, or whose end changes its pieces."""
    pattern = PATTERNS[name]
    chunks = pattern.split(text)
    assert "".join(chunks) == text
    assert apart(pattern, text) == pattern.pieces(text)


@settings(deadline=None, max_examples=500)
@given(names, st.text(st.characters(max_codepoint=127)))
def test_ascii_pattern_cuts_alike(name, text):
    """Oddities of re: its \\s holds U+001C, its $ stands before a newline."""
    pattern = PATTERNS[name]
    assert pattern._cut_ascii.findall(text) == pattern._cut.findall(text)


@cache
def characters() -> list[str]:
    """Of each run of code points of one category the ends and every eighth,
    so that a table of another version of Unicode, which differs by whole
    runs, or a hole of eight is seen; of short runs that is all."""
    found: list[str] = []
    for category, group in groupby(map(chr, range(0x110000)), category_of):
        if category not in {"Cn", "Cs", "Co"}:
            run = list(group)
            found += sorted({*run[:8], *run[::8], *run[-8:]})
    return found


@pytest.mark.untraced
@pytest.mark.parametrize("name", [*PATTERNS])
def test_every_kind_of_character_in_every_place(name):
    """A character that one engine takes for space and the other does not."""
    pattern = PATTERNS[name]
    for i in range(0, len(characters()), 500):
        text = "".join(
            f"a{c} {c}1{c}!{c}\n{c} {c}" for c in characters()[i : i + 500]
        )
        pieces = pattern.pieces(text)
        assert "".join(pieces) == text
        assert apart(pattern, text) == pieces
        assert pieces_by_tiktoken(name, text) == pieces


@given(st.text())
def test_own_pattern_loses_nothing(text):
    """Text between the matches, which findall drops, and groups, which
    findall returns in place of the match."""
    for expression in (r"\w+", r"(a)|(b)", r"(?=a)a|(?<=a)(?=b)|\d"):
        pattern = find_pattern(expression)
        assert "".join(pattern.pieces(text)) == text
        assert pattern.split(text) == pattern.pieces(text)
        assert "" not in pattern.pieces(text)


def test_patterns_are_known_by_their_expressions():
    """A published GPT-2 tokenizer that takes the slow way."""
    original = (
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
        r"|\s+(?!\S)|\s+"
    )
    assert find_pattern(original).name == "gpt2"
    for name, pattern in PATTERNS.items():
        assert find_pattern(pattern.expression).name == name
    assert find_pattern(r"\d+").name == r"\d+"
