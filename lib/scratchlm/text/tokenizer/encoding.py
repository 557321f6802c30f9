"""Text to tokens by merges, each text by the way that is faster for it.

A short text goes through the caches of
:mod:`scratchlm.text.tokenizer.spelling`, a long one through arrays.
"""

from collections.abc import Sequence
from functools import cached_property

from scratchlm.foundation.arrays import Numbers
from scratchlm.text.tokenizer.arrays.encoding import BlockEncoder, groups
from scratchlm.text.tokenizer.merging import MergeRules
from scratchlm.text.tokenizer.patterns import PATTERNS, Cutter
from scratchlm.text.tokenizer.spelling import TextSpeller

# Characters from which arrays win (measured here, on files of which one chunk
# in eight is new: below, the two are alike).
LONG_TEXT = 1 << 12


class TextMerger(TextSpeller):
    """Text to tokens by merges.

    Args:
        pattern: cuts the text.
        rules: merge a piece.
    """

    def __init__(self, pattern: Cutter, rules: MergeRules):
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
        return self.pattern in PATTERNS.values()

    @cached_property
    def _blocks(self) -> BlockEncoder:
        return BlockEncoder(self.rules, str(self.pattern.name))
