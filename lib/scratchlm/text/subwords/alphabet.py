"""The pieces of a corpus and the characters worth a token."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.tokenizer.training import count_pieces


def counted(
    texts: Iterable[str],
    pattern: str,
    workers: int | None,
    special_tokens: Collection[str] = (),
) -> Counter[str]:
    """How often each piece occurs, where there is any.

    Args:
        texts: the documents; no piece crosses from one into the next.
        pattern: a name or a regular expression, as ``find_pattern`` takes.
        workers: processes; None takes one per core.
        special_tokens: a text is cut where it spells one, and the spelling
            counts for nothing, since no text is encoded to its letters.

    Raises:
        ValueError: ``texts`` is one string or holds nothing.
    """
    not_one_string(texts)
    counts = count_pieces(
        texts, pattern, special_tokens=special_tokens, workers=workers
    )
    if not counts:
        raise ValueError("there is no text to train on: every text is empty")
    return counts


def covered(counts: Mapping[str, int], coverage: float) -> set[str]:
    """The most frequent characters that make up a share of the text.

    Args:
        counts: how often each piece occurs.
        coverage: the share, above 0 and at most 1.

    Raises:
        ValueError: the share is not one.
    """
    if not 0 < coverage <= 1:
        raise ValueError(
            f"coverage is {coverage}; give a share above 0 and at most 1"
        )
    of_characters: Counter[str] = Counter()
    for piece, count in counts.items():
        for character in piece:
            of_characters[character] += count
    wanted = coverage * of_characters.total()
    order = sorted(of_characters, key=lambda c: (-of_characters[c], c))
    kept, held = set(), 0
    for character in order:
        if held >= wanted:
            break
        kept.add(character)
        held += of_characters[character]
    return kept


def only_of(
    counts: Mapping[str, int], alphabet: frozenset[str]
) -> dict[str, int]:
    """The pieces that an alphabet can spell."""
    return {p: c for p, c in counts.items() if alphabet.issuperset(p)}
