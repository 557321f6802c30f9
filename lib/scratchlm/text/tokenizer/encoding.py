"""Text to tokens, and remembering what they were.

Words follow Zipf's law: most of what comes next has come before. A dictionary
answers for it in one step of C, and Python runs only for what is new.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

from scratchlm.text.tokenizer.arrays.encoding import BlockEncoder, groups
from scratchlm.text.tokenizer.arrays.merging import token_ids
from scratchlm.text.tokenizer.arrays.table import Numbers
from scratchlm.text.tokenizer.merging import MergeRules
from scratchlm.text.tokenizer.patterns import PATTERNS, Pattern
from scratchlm.text.tokenizer.streaming import well_formed

# Chunks kept, and the longest text worth keeping: together they bound the
# memory. benchmarks/text.py measures about 200 bytes for each.
LIMIT = 700_000
LONGEST = 64

# Characters from which arrays win (measured here, on files of which one chunk
# in eight is new: below, the two are alike).
LONG_TEXT = 1 << 12


class Remembered(dict[str, str]):
    """A function of text that keeps its results, up to a limit.

    A full cache is emptied: what is frequent is back within moments, and no
    bookkeeping slows the lookups.

    Args:
        compute: the function.
        limit: the most results kept.
    """

    def __init__(self, compute: Callable[[str], str], limit: int = LIMIT):
        super().__init__()
        self.compute = compute
        self.limit = limit

    def __missing__(self, text: str) -> str:
        result = self.compute(text)
        if len(text) <= LONGEST:
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

    def __init__(self, pattern: Pattern, spell: Callable[[str], str]):
        self.pattern = pattern
        self.pieces = Remembered(spell, LIMIT // 4)
        self.chunks = Remembered(self._spell_chunk)

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


class TextMerger(TextSpeller):
    """Text to tokens by merges.

    Args:
        pattern: cuts the text.
        rules: merge a piece.
    """

    def __init__(self, pattern: Pattern, rules: MergeRules):
        super().__init__(pattern, lambda piece: rules.apply(piece.encode()))
        self.rules = rules

    def ids(self, text: str) -> Numbers:
        """The ids of a text, through arrays where it is long."""
        if len(text) >= LONG_TEXT and self._named:
            return self._blocks.encode(text)
        return super().ids(text)

    def all_ids(self, texts: Sequence[str]) -> list[Numbers]:
        """The ids of each text, through arrays where several are long."""
        if not self._named:
            return super().all_ids(texts)
        ids: list[Numbers] = []
        for group in groups(texts):
            long = sum(map(len, group)) >= LONG_TEXT
            encode = self._blocks.encode_group if long else super().all_ids
            ids += encode(group)
        return ids

    @cached_property
    def _named(self) -> bool:
        return PATTERNS.get(self.pattern.name) == self.pattern

    @cached_property
    def _blocks(self) -> BlockEncoder:
        return BlockEncoder(self.rules, self.pattern.name)
