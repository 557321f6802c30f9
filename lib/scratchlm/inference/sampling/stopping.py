"""When a row has written enough."""

from collections.abc import Callable, Collection, Sequence

from scratchlm.foundation.arguments import not_one_string
from scratchlm.inference.sampling.spelling import byte_tokens
from scratchlm.text.tokenizer.base import SubwordTokenizer

# Whether a row that has written these tokens is to stop. It is asked behind
# each token.
Stop = Callable[[Sequence[int]], bool]

# Characters at the start of a decoded end that may differ from those of the
# whole: three of a character of UTF-8 that was cut, and a space that some
# tokenizers drop. One more, as the last token may complete a character.
SPOILED = 5


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

    A text may begin and end anywhere inside tokens. It is asked for behind
    each token, so that tokens are decoded from the end, and no more of them
    than a text that has just become complete can reach back to.

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
        self.longest = max(map(len, self.texts))
        self.bytes = byte_tokens(tokenizer)

    def __call__(self, written: Sequence[int]) -> bool:
        """Return whether one of the texts ends in the last token."""
        end = self._end(written)
        return any(stop in end for stop in self.texts)

    def _end(self, written: Sequence[int]) -> str:
        decode = self.tokenizer.decode
        enough = self.longest + SPOILED + len(decode(written[-1:]))
        size = enough  # tokens; most have a character or more
        while size < len(written):
            start = len(written) - size
            while start and written[start] in self.bytes:
                start -= 1  # their text is that of the whole run
            text = decode(written[start:])
            if start and len(text) >= enough:
                return text[SPOILED:]
            size = 2 * size
        return decode(written)


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
