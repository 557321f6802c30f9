"""Where a context ends and a continuation begins, in tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.tokenizer.base import SubwordTokenizer


@dataclass(frozen=True, kw_only=True)
class Question:
    """A context, and what may follow it.

    Args:
        context: ids that all continuations are read behind.
        continuations: the ids of each, which are scored.

    Raises:
        ValueError: there are none, or one is empty.
    """

    context: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.continuations:
            raise ValueError("there are no continuations; give one or more")
        for number, each in enumerate(self.continuations):
            if not each:
                raise ValueError(
                    f"continuation {number} is empty, which every model "
                    "gives probability 1; give one token or more"
                )


def join(
    tokenizer: SubwordTokenizer, context: str, continuations: Sequence[str]
) -> Question:
    """Encode a context with each of its continuations.

    Each text is encoded whole, as the model has seen texts. The context
    ends where its own encoding and those of all the whole texts still
    agree. So a token that spans the join is scored, with what it holds of
    the context, in every continuation alike.

    Args:
        tokenizer: the model's.
        context: the text before.
        continuations: the texts behind it, with the space between.

    Raises:
        ValueError: ``continuations`` is one string, there are none, or one
            is empty.
    """
    not_one_string(continuations, "continuations")
    for number, each in enumerate(continuations):
        if not each:
            raise ValueError(
                f"continuation {number} of {context[-40:]!r} is empty; give "
                "the text that may follow"
            )
    before = tokenizer.encode(context)
    wholes = [tokenizer.encode(context + each) for each in continuations]
    cut = min((common_prefix(before, each) for each in wholes), default=0)
    return Question(
        context=tuple(before[:cut]),
        continuations=tuple(tuple(each[cut:]) for each in wholes),
    )


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many first tokens two rows share.

    Args:
        a: ids.
        b: ids.
    """
    pairs = zip(a, b, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
