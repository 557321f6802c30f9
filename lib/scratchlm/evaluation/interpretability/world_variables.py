"""What is true of each token of a TinyWorld document."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from scratchlm.text.tinyworld.narrator import Document
from scratchlm.text.tinyworld.world import TinyWorld

DIGIT = re.compile(r"= (\d+)\. Write (\d)(?:, carry (\d))?")


class Span(NamedTuple):
    """Characters of which something is true.

    Args:
        variable: what, as ``person=Mia``.
        start: the first character.
        stop: the one behind the last.
    """

    variable: str
    start: int
    stop: int


def spans(world: TinyWorld, document: Document) -> Iterator[Span]:
    """Yield what is true, and of which characters.

    The kind of the document holds for all of it (``kind=story``). A name
    says whom it names and of which kind that is (``person``,
    ``person=Mia``); a person's name also says where that person lives,
    which the text may nowhere tell (``home=Redbank``). In a sum that is
    worked, a column's result says the digit to be written (``digit=4``) and
    whether one is carried (``carry``).

    Args:
        world: that drew the document.
        document: any.
    """
    text = document.text
    yield Span(f"kind={document.kind}", 0, len(text))
    for kind in ("person", "town", "animal", "food"):
        for entity in world.narrator.world.kinds[kind].values:
            for found in re.finditer(rf"\b{re.escape(entity.name)}\b", text):
                yield Span(kind, *found.span())
                yield Span(f"{kind}={entity.name}", *found.span())
                if kind == "person":
                    home = entity.links["home"].values[0].name
                    yield Span(f"home={home}", *found.span())
    for found in DIGIT.finditer(text):
        yield Span(f"digit={found[2]}", *found.span(1))
        if found[3]:
            yield Span("carry", *found.span(1))


def token_variables(
    found: Sequence[Span], lengths: Sequence[int], variables: Sequence[str]
) -> Bool[np.ndarray, "n V"]:
    """Return which variables hold for each token.

    A variable holds for a token that has one of its characters.

    Args:
        found: what :func:`spans` yields for a text.
        lengths: characters of each of its tokens.
        variables: names, in the order of the columns; others are left out.

    Raises:
        ValueError: a span lies outside of the tokens.
    """
    ends = np.cumsum(lengths)
    column = {name: i for i, name in enumerate(variables)}
    holds = np.zeros((len(lengths), len(variables)), bool)
    for name, start, stop in found:
        if not len(ends) or stop > ends[-1]:
            raise ValueError(
                f"{name} ends at character {stop}, and the tokens have "
                f"{sum(lengths)}; give the tokens of the same text"
            )
        if name in column:
            first, last = np.searchsorted(ends, [start, stop - 1], "right")
            holds[first : last + 1, column[name]] = True
    return holds
