"""Special tokens and where they stand.

A special token is a token with a meaning for the model and a spelling for
us. Text from outside must not forge it: its spelling is refused unless the
caller allows it.
"""

import re
from collections import Counter
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import cached_property, lru_cache

Finder = re.Pattern[str]


class SpecialTokens:
    """The special tokens of a tokenizer.

    Args:
        ids: the id of each special token.

    Raises:
        ValueError: a special token is empty.
    """

    def __init__(self, ids: Mapping[str, int]):
        if "" in ids:
            raise ValueError(
                "a special token is empty; give it a spelling, such as "
                "<|endoftext|>"
            )
        self.ids = dict(ids)
        self.reach = max(map(len, ids), default=1) - 1

    @classmethod
    def following(cls, names: Sequence[str], first: int) -> "SpecialTokens":
        """Number special tokens in their order.

        Raises:
            ValueError: a special token is empty or given twice.
        """
        twice = [name for name, n in Counter(names).items() if n > 1]
        if twice:
            raise ValueError(
                f"the special token {twice[0]!r} is given twice; give it once"
            )
        return cls({name: first + i for i, name in enumerate(names)})

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.ids)

    def allow(self, allowed: str | Collection[str]) -> frozenset[str]:
        """The special tokens that a caller allows.

        Raises:
            ValueError: a string that is not ``"all"``.
        """
        if allowed == "all":
            return self.names
        if isinstance(allowed, str):
            raise ValueError(
                f"allowed_special is {allowed!r}; give 'all' or a collection "
                f"of special tokens, such as {{{allowed!r}}}"
            )
        return self.names & frozenset(allowed)

    def refuse(self, text: str, allowed: frozenset[str]) -> None:
        """Raise ValueError where a token stands that is not allowed."""
        finder = find_any(self.names - allowed)
        found = finder and finder.search(text)
        if found:
            name = found.group()
            raise ValueError(
                f"the text holds the special token {name!r} at character "
                f"{found.start()}; to encode it as that token, pass "
                f"allowed_special={{{name!r}}} (or 'all'); to encode it as "
                "plain text, use encode_ordinary"
            )

    def cut(
        self, text: str, allowed: frozenset[str]
    ) -> Iterator[tuple[str, str]]:
        """Text and the special token after it, "" at the end."""
        end = 0
        finder = find_any(allowed)
        for found in finder.finditer(text) if finder else ():
            yield text[end : found.start()], found.group()
            end = found.end()
        yield text[end:], ""

    def watch(
        self, chunks: Iterable[str], allowed: frozenset[str]
    ) -> Iterator[str]:
        """Pass a stream on; raise where :meth:`refuse` would."""
        seen = ""
        for chunk in chunks:
            window = seen + chunk
            self.refuse(window, allowed)
            seen = window[-self.reach :] if self.reach else ""
            yield chunk


@lru_cache(maxsize=64)
def find_any(names: frozenset[str]) -> Finder | None:
    """An expression that finds the longest of some strings, or None."""
    ordered = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, ordered))) if names else None
