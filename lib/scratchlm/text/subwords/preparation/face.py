"""Text as a ``tokenizer.json`` prepares it for its model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scratchlm.text.subwords.preparation.cutting import Cut, Stretch, cuts
from scratchlm.text.subwords.preparation.interface import Rewriting
from scratchlm.text.subwords.preparation.rewriting import Rewrite, rewrites
from scratchlm.text.tokenizer.special_tokens import find_any


@dataclass(frozen=True, kw_only=True)
class FaceText(Rewriting):
    """The normaliser and the pre-tokenizer of Hugging Face's libraries.

    Tokens that were added to the vocabulary are found before the text is
    normalised; those of ``late``, after it.

    Args:
        normalizer: the field of that name in the file.
        pre_tokenizer: likewise.
        added: the id of each added token that is ordinary text.
        late: added tokens, special or not, whose normalised spelling is
            looked for in the normalised text.

    Raises:
        ValueError: one of the two does what this package does not.
    """

    normalizer: dict[str, Any] | None
    pre_tokenizer: dict[str, Any] | None
    added: dict[str, int] = field(default_factory=dict)
    late: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _ = self._rewrites, self._cuts  # made now, so that what is odd raises

    def parts(
        self, text: str, special: Mapping[str, int]
    ) -> Iterator[str | int]:
        ids = {**self.added, **special}
        early = {name: i for name, i in ids.items() if name not in self.late}
        late = {
            self._rewrite(name): i
            for name, i in ids.items()
            if name in self.late
        }
        for part, first in _found((text, True), early):
            if isinstance(part, int):
                yield part
                continue
            for shown, begins in _found((self._rewrite(part), first), late):
                if isinstance(shown, int):
                    yield shown
                else:
                    yield from self._cut((shown, begins))

    def identity(self) -> Any:
        return [
            self.normalizer,
            self.pre_tokenizer,
            sorted(self.added.items()),
            sorted(self.late),
        ]

    @cached_property
    def _rewrites(self) -> list[Rewrite]:
        return rewrites(self.normalizer)

    @cached_property
    def _cuts(self) -> list[Cut]:
        return cuts(self.pre_tokenizer)

    def _rewrite(self, text: str) -> str:
        for rewrite in self._rewrites:
            text = rewrite(text)
        return text

    def _cut(self, stretch: Stretch) -> Iterator[str]:
        stretches = [stretch]
        for step in self._cuts:
            stretches = [s for stretch in stretches for s in step(stretch)]
        return (text for text, _ in stretches)


def _found(
    stretch: Stretch, ids: Mapping[str, int]
) -> Iterator[tuple[str | int, bool]]:
    """Texts between some tokens, none empty, and the tokens' ids."""
    text, first = stretch
    finder, end = find_any(frozenset(ids)), 0
    for found in finder.finditer(text) if finder else ():
        if found.start() > end:
            yield text[end : found.start()], first and not end
        yield ids[found.group()], False
        end = found.end()
    if end < len(text):
        yield text[end:], first and not end
