"""What happens to text before a pattern cuts it.

Most tokenizers take text as it is. Published ones may bring it into a normal
form, find added tokens in it that are ordinary text, or put a space before
it. Whoever encodes text must do the same in the same order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from scratchlm.text.tokenizer.added_tokens import (
    AS_SPELLED,
    Matching,
    TokenFinder,
)
from scratchlm.text.tokenizer.normalizers import Normalizer
from scratchlm.text.tokenizer.streaming import well_formed


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What happens to text before a pattern cuts it; by default nothing.

    Args:
        normalizers: bring text into one form, in turn.
        added_tokens: the id of each token outside the vocabulary that is
            ordinary text: no text with it is refused, and it is one id.
        matching: of tokens, special ones included, that are found by more
            than their spelling.
        prefix_space: put a space before text that does not begin with one,
            also behind each added token.

    Raises:
        ValueError: an added token is empty.
    """

    normalizers: tuple[Normalizer, ...] = ()
    added_tokens: dict[str, int] = field(default_factory=dict)
    matching: dict[str, Matching] = field(default_factory=dict)
    prefix_space: bool = False

    def __post_init__(self) -> None:
        if "" in self.added_tokens:
            raise ValueError(
                "an added token is empty; give it a spelling, such as <think>"
            )

    def normalize(self, text: str) -> str:
        """The text in its form."""
        return reduce(lambda t, n: n(t), self.normalizers, text)

    def is_trivial(self, special: Mapping[str, int]) -> bool:
        """Whether text stays as it is, and tokens are found as spelled.

        Args:
            special: the special tokens.
        """
        ways = {self.matching.get(name, AS_SPELLED) for name in special}
        # Where nothing is normalised, all before and all behind is the same.
        uniform = ways <= {AS_SPELLED} or ways == {Matching(normalized=True)}
        changes = self.normalizers or self.added_tokens or self.prefix_space
        return uniform and not changes


class TextReader:
    """Prepares text, and finds the tokens in it.

    Args:
        special: the special tokens.
        preparation: what happens to text.
    """

    def __init__(self, special: Mapping[str, int], preparation: Preparation):
        first: dict[str, str] = {}
        later: dict[str, str] = {}
        for name in (*special, *preparation.added_tokens):
            how = preparation.matching.get(name, AS_SPELLED)
            if how.normalized:
                later.setdefault(preparation.normalize(name), name)
            else:
                first[name] = name
        later.pop("", None)
        self.preparation = preparation
        self.first = TokenFinder(first, preparation.matching)
        self.later = TokenFinder(later, preparation.matching)

    def cut(
        self, text: str, skip: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, str]]:
        """Prepared text and the token after it, "" at the end.

        Args:
            text: any text. A lone surrogate is taken for U+FFFD.
            skip: tokens that are plain text.
        """
        for raw, name in self.first.cut(well_formed(text), skip):
            prepared = self.preparation.normalize(raw)
            for part, late in self.later.cut(prepared, skip):
                yield self._begun(part), late or name

    def _begun(self, part: str) -> str:
        if self.preparation.prefix_space and part[:1] not in ("", " "):
            return f" {part}"
        return part
