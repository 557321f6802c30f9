"""Sums worked in columns."""

import random
import re
from functools import cache

import pytest

from scratchlm.text.tinyworld.world import TinyWorld, WorldConfig

EQUATION = re.compile(r"(\d+(?: [+-] \d+)+) = (\d+)")
WRITTEN = re.compile(r"Write (\d)")


@cache
def world():
    return TinyWorld(0, WorldConfig(n_digits=(1, 2, 3)))


def value(terms):
    total, sign = 0, 1
    for token in terms.split():
        if token in "+-":
            sign = 1 if token == "+" else -1
        else:
            total += sign * int(token)
    return total


@pytest.mark.untraced
def test_each_step_is_right_and_the_digits_are_the_result():
    """A carry or a loan that is forgotten, above all across a zero."""
    rng = random.Random(0)
    borrowed = 0
    for _ in range(400):
        document = world().sample(rng, kinds=["sum"])
        steps = EQUATION.findall(document.text)
        assert all(value(terms) == int(total) for terms, total in steps)
        digits = "".join(WRITTEN.findall(document.text))[::-1]
        result = int(steps[-1][1])
        assert int(digits) == result % 10 ** len(digits)
        assert document.state == {"equals": {steps[-1][0]: str(result)}}
        borrowed += "10 - 1 - " in document.text
    assert borrowed > 5


@pytest.mark.parametrize("line", ["0 + 10 - 1 - 9 = 0. Write 0, borrow 1."])
def test_a_loan_crosses_a_zero(line):
    """A digit of minus one."""
    text = f"500 - 391\n0 + 10 - 1 = 9. Write 9, borrow 1.\n{line}\n"
    text += "5 - 1 - 3 = 1. Write 1.\nSo 500 - 391 = 109."
    assert world().check(text).ok


def test_a_difference_is_never_negative():
    """A greater number taken from a smaller one."""
    assert world().check("12 - 40\n").kind == "impossible"
    assert world().check("40 - 40\n").kind == "incomplete"
