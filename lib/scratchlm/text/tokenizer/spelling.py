"""Text to tokens, and remembering what they were.

Words follow Zipf's law: most of what comes next has come before. A dictionary
answers for it in one step of C, and Python runs only for what is new.
"""

from collections.abc import Callable, Sequence

from scratchlm.foundation.arrays import Numbers
from scratchlm.text.tokenizer.merging import token_ids
from scratchlm.text.tokenizer.patterns import Cutter
from scratchlm.text.tokenizer.streaming import well_formed

# Chunks kept, and the longest text worth keeping: together they bound the
# memory. benchmarks/text.py measures about 200 bytes for each.
CHUNKS_KEPT = 700_000
LONGEST_KEPT = 64


class Remembered(dict[str, str]):
    """A function of text that keeps its results, up to a limit.

    A full cache is emptied: what is frequent is back within moments, and no
    bookkeeping slows the lookups.

    Args:
        compute: the function.
        limit: the most results kept.
    """

    def __init__(
        self, compute: Callable[[str], str], limit: int = CHUNKS_KEPT
    ):
        super().__init__()
        self.compute = compute
        self.limit = limit

    def __missing__(self, text: str) -> str:
        result = self.compute(text)
        if len(text) <= LONGEST_KEPT:
            if len(self) >= self.limit:
                self.clear()
            self[text] = result
        return result


class TextSpeller:
    """Text to tokens through two caches.

    Most chunks were met before. Of the rest, most pieces were.

    Args:
        pattern: cuts the text.
        spell: the tokens of a piece, one character ``chr(id)`` per token.
    """

    def __init__(self, pattern: Cutter, spell: Callable[[str], str]):
        self.pattern = pattern
        kept = CHUNKS_KEPT // 4 if pattern.chunks else CHUNKS_KEPT
        self.pieces = Remembered(spell, kept)
        # Without chunks the pattern gives pieces, and to cut them again could
        # cut them otherwise: what stood behind them is gone.
        chunks = Remembered(self._spell_chunk)
        self.chunks = chunks if pattern.chunks else self.pieces

    def ids(self, text: str) -> Numbers:
        """The ids of a text. A lone surrogate is taken for U+FFFD."""
        if not text.isascii():
            text = well_formed(text)
        chunks = self.pattern.split(text)
        return token_ids("".join(map(self.chunks.__getitem__, chunks)))

    def all_ids(self, texts: Sequence[str]) -> list[Numbers]:
        """The ids of each text."""
        return [self.ids(text) for text in texts]

    def _spell_chunk(self, chunk: str) -> str:
        pieces = self.pattern.pieces(chunk)
        return "".join(map(self.pieces.__getitem__, pieces))
