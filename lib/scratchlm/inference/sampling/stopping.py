"""When a row has written enough."""

from collections.abc import Callable, Collection, Sequence

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.tokenizer.base import SubwordTokenizer

# Whether a row that has written these tokens is to stop. It is asked behind
# each token.
Stop = Callable[[Sequence[int]], bool]

# Characters of a decoded end that its beginning may have spoiled: a
# character of UTF-8 that was cut has up to three bytes there, and some
# tokenizers drop a space in front.
SPOILED = 4


class StopTokens:
    """Stop behind any of some tokens.

    Args:
        ids: of the tokens.

    Raises:
        ValueError: there are none.
    """

    def __init__(self, ids: Collection[int]):
        self.ids = frozenset(ids)
        _some(self.ids, "ids")

    def __call__(self, written: Sequence[int]) -> bool:
        """Return whether the last token is one of them."""
        return bool(written) and written[-1] in self.ids


class StopSequences:
    """Stop behind any of some sequences of tokens.

    Args:
        sequences: of ids. A text can be spelled in several ways; to stop at
            a text, take :class:`StopTexts`.

    Raises:
        ValueError: there are none, or one is empty.
    """

    def __init__(self, sequences: Collection[Sequence[int]]):
        self.sequences = [list(ids) for ids in sequences]
        _some(self.sequences, "sequences")
        for ids in self.sequences:
            _some(ids, "ids in a sequence")

    def __call__(self, written: Sequence[int]) -> bool:
        """Return whether the last tokens are one of them."""
        return any(list(written[-len(ids) :]) == ids for ids in self.sequences)


class StopTexts:
    """Stop as soon as any of some texts has been written.

    A text may begin and end anywhere inside tokens. Tokens are decoded from
    the end, and only as many as can hold the longest text.

    Args:
        tokenizer: that spells the tokens.
        texts: to stop at.

    Raises:
        ValueError: there are none, or one is empty.
    """

    def __init__(self, tokenizer: SubwordTokenizer, texts: Collection[str]):
        not_one_string(texts)
        self.tokenizer = tokenizer
        self.texts = list(texts)
        _some(self.texts, "texts")
        for text in self.texts:
            _some(text, "characters in a text")

    def __call__(self, written: Sequence[int]) -> bool:
        """Return whether one of the texts has been written."""
        text = self.tokenizer.decode(written)
        return any(stop in text for stop in self.texts)


class AnyOf:
    """Stop where any of some rules says so.

    Args:
        stops: the rules; without one, nothing stops.
    """

    def __init__(self, *stops: Stop):
        self.stops = stops

    def __call__(self, written: Sequence[int]) -> bool:
        """Return whether a rule says stop."""
        return any(stop(written) for stop in self.stops)


def _some(given: Collection[object], what: str) -> None:
    if not given:
        raise ValueError(f"there are no {what} to stop at; give one or more")
