import re

import numpy as np
import pytest

from scratchlm.evaluation.interpretability.world_variables import (
    Span,
    spans,
    token_variables,
)
from scratchlm.text.tinyworld import TinyWorld


@pytest.fixture(scope="module")
def world():
    return TinyWorld(0)


def test_digits_and_carries_are_those_of_the_sum(world):
    """Each carry is worked out from the numbers that are added."""
    seen = 0
    for document in world.documents(3, 150):
        added = re.search(r"So (\d+) \+ (\d+)", document.text)
        if added is None:
            continue
        a, b = added.groups()
        n, carries, carry = max(len(a), len(b)), 0, 0
        for x, y in zip(a.zfill(n)[::-1], b.zfill(n)[::-1], strict=True):
            carry = (int(x) + int(y) + carry) // 10
            carries += carry
        found = [s for s in spans(world, document) if s.variable == "carry"]
        assert len(found) == carries
        seen += 1
    assert seen > 3


def test_names_and_homes(world):
    for document in world.documents(1, 20):
        for name, start, stop in spans(world, document):
            kind, _, value = name.partition("=")
            if kind in {"person", "town"} and value:
                assert document.text[start:stop] == value
            if kind == "home":
                person = document.text[start:stop]
                asked = f"Question: Where does {person} live?\nAnswer:"
                assert world.answer(asked) == f"In {value}"


def test_tokens_take_what_touches_them():
    found = [Span("a", 0, 3), Span("b", 4, 6), Span("other", 0, 1)]
    holds = token_variables(found, [2, 2, 2], ["a", "b"])
    expected = [[True, False], [True, False], [False, True]]
    np.testing.assert_array_equal(holds, expected)


def test_tokens_of_another_text():
    with pytest.raises(ValueError, match="same text"):
        token_variables([Span("a", 0, 9)], [2, 2], ["a"])
