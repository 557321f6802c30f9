"""Text that can be shown while a model still writes."""

from collections.abc import Sequence

from scratchlm.foundation.arguments import not_one_string
from scratchlm.inference.sampling.spelling import speller
from scratchlm.text.tokenizer.base import SubwordTokenizer


class TextStream:
    """The text of tokens that come one by one, up to a stop text.

    All that it returns together is what the tokenizer makes of all tokens,
    cut before the stop text that ends first; of those that end at the same
    place, before the longest. Text that may be the beginning of a stop text
    is held back until it is known to be none.

    Args:
        tokenizer: that spells the tokens.
        stop: texts of which, and behind which, nothing is returned.

    Attributes:
        stopped: whether a stop text has been met.

    Raises:
        ValueError: a stop text is empty.
    """

    def __init__(
        self, tokenizer: SubwordTokenizer, *, stop: Sequence[str] = ()
    ):
        not_one_string(stop, "stop")
        if "" in stop:
            raise ValueError("a stop text is empty; leave it out")
        self.stopped = False
        self._stop = list(stop)
        self._speller = speller(tokenizer)
        self._held = ""

    def push(self, token: int) -> str:
        """Return the text that has become certain with a token.

        Args:
            token: the next id.

        Raises:
            ValueError: it is no id of the tokenizer.
        """
        if self.stopped:
            return ""
        return self._release(self._speller.push(token))

    def finish(self) -> str:
        """Return the rest of the text, as no token follows."""
        if self.stopped:
            return ""
        text = self._release(self._speller.finish())
        rest, self._held = self._held, ""
        return text + rest

    def _release(self, new: str) -> str:
        text = self._held + new
        met = [
            (at + len(stop), at)
            for stop in self._stop
            if (at := text.find(stop)) >= 0
        ]
        if met:
            self.stopped, self._held = True, ""
            return text[: min(met)[1]]
        kept = len(text) - self._n_open(text)
        self._held = text[kept:]
        return text[:kept]

    def _n_open(self, text: str) -> int:
        """How many last characters may be the beginning of a stop text."""
        longest = max(map(len, self._stop), default=1) - 1
        for n in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-n:]) for stop in self._stop):
                return n
        return 0
