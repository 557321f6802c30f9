"""Vocabularies as tiktoken holds them: a rank for each token, no merges."""

from itertools import pairwise
from typing import TYPE_CHECKING

from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.merging import Pair

if TYPE_CHECKING:
    import tiktoken


def from_tiktoken(encoding: "tiktoken.Encoding") -> BPETokenizer:
    """Take over a tiktoken encoding; ids stay as they are.

    tiktoken merges the two neighbours whose joined bytes have the lowest
    rank. The merge that makes a token is the last one on the token's bytes.
    """
    ranks: dict[bytes, int] = encoding._mergeable_ranks
    merges = [
        pair
        for token in sorted(ranks, key=ranks.__getitem__)
        if len(token) > 1 and (pair := last_merge(token, ranks))
    ]
    return BPETokenizer(
        pattern=encoding._pat_str,
        vocab=dict(ranks),
        merges=tuple(merges),
        special_tokens=dict(encoding._special_tokens),
        whole_pieces=True,
    )


def last_merge(token: bytes, ranks: dict[bytes, int]) -> Pair | None:
    """The two parts of which a token is made, None where no merge makes it."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [left + right for left, right in pairwise(parts)]
        best = min(joined, key=lambda part: ranks.get(part, len(ranks) << 8))
        if best not in ranks:
            return None
        i = joined.index(best)
        parts[i : i + 2] = [best]
    return parts[0], parts[1]


def to_tiktoken(
    tokenizer: BPETokenizer, name: str = "scratchlm"
) -> "tiktoken.Encoding":
    """Make a tiktoken encoding that gives the same ids.

    Args:
        tokenizer: whose.
        name: what tiktoken calls it.

    Raises:
        ValueError: the ids do not follow the order of the merges, or some
            token is not what its own bytes merge to. tiktoken takes an id for
            a rank, and a piece that is a token for that token.
    """
    from tiktoken import Encoding  # noqa: PLC0415  (optional)

    vocab, merges = tokenizer.vocab, tokenizer.merges
    ids = [vocab[left + right] for left, right in merges]
    if ids != sorted(set(ids)):
        raise ValueError(
            "the ids of the tokens do not follow the order of the merges, "
            "which tiktoken needs; save the tokenizer as tokenizer.json"
        )
    if not tokenizer.whole_pieces and not tokenizer.rules.all_reachable():
        raise ValueError(
            "the vocabulary holds a token that its own bytes do not merge to, "
            "and tiktoken would produce it; save it as tokenizer.json"
        )
    return Encoding(
        name,
        pat_str=tokenizer.cutter.expression,
        mergeable_ranks=vocab,
        special_tokens=tokenizer.special_tokens,
    )
