"""How a tokenizer cuts text, as Hugging Face's libraries keep it."""

import re
from collections.abc import Iterator
from typing import Any

from scratchlm.text.tokenizer.oniguruma import from_oniguruma, to_oniguruma
from scratchlm.text.tokenizer.patterns import PatternName, find_pattern

Rule = dict[str, Any]

# The whole text is one piece.
WHOLE = r"[\s\S]+"
# Any digit, as Rust counts them, by itself or in runs; and signs.
_DIGIT = r"\p{N}"
_DIGITS = r"\p{N}+"
_SIGN = r"[\p{P}!-/:-@\[-`{-~]"
_NUMBERS = {_DIGIT: True, _DIGITS: False}

# Expressions that leave no character out. Where only their matches are kept,
# which is said as "Removed" and "invert", nothing is lost.
_LETTERS_WITH_SIGN = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_COVERING = {
    *("gpt2", "cl100k", "o200k"),
    rf"{_CONTRACTION}|{_LETTERS_WITH_SIGN}|\p{{N}}{{1,3}}|{_REST}",
    rf"{_CONTRACTION}|{_LETTERS_WITH_SIGN}|\p{{N}}|{_REST}",
}


def split_rule(pattern: PatternName) -> Rule:
    """The pre-tokenizer that cuts text at a pattern's pieces.

    Args:
        pattern: as a tokenizer takes it.

    Raises:
        ValueError: another engine would read it otherwise.
    """
    rules = split_rules(pattern)
    if len(rules) == 1:
        return rules[0]
    return {"type": "Sequence", "pretokenizers": rules}


def split_rules(pattern: PatternName) -> list[Rule]:
    """One pre-tokenizer for each step of a pattern."""
    found = find_pattern(pattern).expression
    steps = (found,) if isinstance(found, str) else found
    return [_split(expression) for expression in steps]


def _split(expression: str) -> Rule:
    if expression in _NUMBERS:
        single = _NUMBERS[expression]
        return {"type": "Digits", "individual_digits": single}
    return {
        "type": "Split",
        "pattern": {"Regex": to_oniguruma(expression)},
        "behavior": "Isolated",
        "invert": False,
    }


def byte_level(*, prefix_space: bool = False, cuts: bool = False) -> Rule:
    """The last pre-tokenizer of a byte-level vocabulary.

    Args:
        prefix_space: it puts a space before text.
        cuts: it cuts by GPT-2's pattern.
    """
    return {
        "type": "ByteLevel",
        "add_prefix_space": prefix_space,
        "trim_offsets": True,
        "use_regex": cuts,
    }


def byte_level_rule(pattern: PatternName, prefix_space: bool) -> Rule:
    """The pre-tokenizer of a byte-level vocabulary.

    Raises:
        ValueError: a space before text, and a pattern with which the file
            cannot say it: there it would go before each piece.
    """
    name = find_pattern(pattern).name
    if not prefix_space:
        rules = [*split_rules(pattern), byte_level()]
        return {"type": "Sequence", "pretokenizers": rules}
    if name not in ("gpt2", WHOLE):
        raise ValueError(
            "a tokenizer.json can put a space before text only where the "
            f"pattern is 'gpt2', not {name!r}"
        )
    return byte_level(prefix_space=True, cuts=name == "gpt2")


def byte_level_cuts(rule: Any) -> tuple[PatternName, bool]:
    """How a byte-level vocabulary cuts text.

    Args:
        rule: the pre-tokenizer.

    Returns:
        The pattern, and whether a space is put before text.

    Raises:
        ValueError: it cuts in a way that no pattern does.
    """
    *rules, last = _in_turn(rule) or [{"type": None}]
    if last["type"] != "ByteLevel":
        raise ValueError(
            f"its pre_tokenizer is {rule}, which does not end in ByteLevel"
        )
    steps = list(map(_step, rules))
    prefix_space = bool(last.get("add_prefix_space", True))
    if prefix_space and steps:
        raise ValueError(
            "its pre_tokenizer has add_prefix_space set behind a Split, which "
            "puts a space before each piece"
        )
    if last.get("use_regex", True):
        steps.append("gpt2")
    return _joined(steps or [WHOLE]), prefix_space


def pattern_of(rule: Any) -> PatternName:
    """The pattern of a pre-tokenizer that cuts text and does nothing else.

    Raises:
        ValueError: it does something else.
    """
    return _joined([*map(_step, _in_turn(rule))])


def _joined(steps: list[str]) -> PatternName:
    return find_pattern(tuple(steps)).name


def _in_turn(rule: Any) -> list[Rule]:
    return [*_flat(rule)]


def _flat(rule: Any) -> Iterator[Rule]:
    if not isinstance(rule, dict):
        return
    if rule["type"] != "Sequence":
        yield rule
        return
    for each in rule["pretokenizers"]:
        yield from _flat(each)


def _step(rule: Rule) -> str:
    """The pattern of one pre-tokenizer."""
    kind = rule["type"]
    if kind == "Digits":
        return _DIGIT if rule.get("individual_digits") else _DIGITS
    behavior = rule.get("behavior", "Isolated")
    if kind == "Punctuation" and behavior in ("Isolated", "Contiguous"):
        return _SIGN + "+" * (behavior == "Contiguous")
    if kind != "Split":
        raise ValueError(f"its pre_tokenizer has {kind}, as {rule}")
    pattern = rule["pattern"]
    if "Regex" in pattern:
        expression = from_oniguruma(pattern["Regex"])
    else:
        expression = re.escape(pattern["String"])
    name = str(find_pattern(expression).name)
    inverted = behavior == "Removed" and rule.get("invert")
    if inverted and name in _COVERING:
        return name
    if behavior != "Isolated" or rule.get("invert"):
        raise ValueError(f"its pre_tokenizer splits as {rule}")
    return name
