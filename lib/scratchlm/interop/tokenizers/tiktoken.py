"""Vocabularies as tiktoken holds them: a rank for each token, no merges."""

from base64 import b64decode
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.merging import Pair

if TYPE_CHECKING:
    import tiktoken


def from_tiktoken(encoding: "tiktoken.Encoding") -> BPETokenizer:
    """Take over a tiktoken encoding; ids stay as they are.

    Raises:
        ValueError: the ranks lack a byte, or two tokens have the same id.
    """
    return _from_ranks(
        encoding._mergeable_ranks,
        encoding._pat_str,
        encoding._special_tokens,
    )


def from_tiktoken_file(
    path: str | Path,
    *,
    pattern: str,
    special_tokens: Mapping[str, int] | None = None,
) -> BPETokenizer:
    """Read a file of ranks, as tiktoken and Llama 3 publish them.

    Args:
        path: each line is a token in base64, a space and its rank.
        pattern: cuts text into pieces; the file does not say. A name or a
            regular expression, as :class:`BPETokenizer` takes it.
        special_tokens: the id of each; the file does not say either.

    Raises:
        ValueError: the file is missing or malformed; the message names the
            line. Or the ranks lack a byte.
    """
    ranks = _read_ranks(Path(path))
    return _from_ranks(ranks, pattern, special_tokens or {})


def _read_ranks(path: Path) -> dict[bytes, int]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ValueError(
            f"cannot read {path}: {error}; give a file of ranks, such as "
            "cl100k_base.tiktoken"
        ) from error
    ranks: dict[bytes, int] = {}
    line_of: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            letters, digits = line.split()
            token, rank = b64decode(letters, validate=True), int(digits)
        except ValueError as error:
            raise ValueError(
                f"line {number} of {path} is {line!r}; each line of a file of "
                "ranks is a token in base64, a space and a number"
            ) from error
        if not token or rank < 0 or token in ranks or rank in line_of:
            raise ValueError(
                f"line {number} of {path} gives the token {token!r} the rank "
                f"{rank}; each token holds a byte and stands once, with a "
                "rank of 0 or more that no other has"
            )
        ranks[token], line_of[rank] = rank, number
    return ranks


def _from_ranks(
    ranks: Mapping[bytes, int],
    pattern: str,
    special_tokens: Mapping[str, int],
) -> BPETokenizer:
    """A tokenizer that merges as tiktoken does.

    tiktoken merges the two neighbours whose joined bytes have the lowest
    rank. Where two neighbours make a token, nothing around them has changed
    what they are: they are what is left of the token's own bytes before the
    last merge. So each token has one merge, whatever the order of the ranks.
    """
    merges = [
        pair
        for token in sorted(ranks, key=ranks.__getitem__)
        if len(token) > 1 and (pair := last_merge(token, ranks))
    ]
    return BPETokenizer(
        pattern=pattern,
        vocab=dict(ranks),
        merges=tuple(merges),
        special_tokens=dict(special_tokens),
        whole_pieces=True,
    )


def last_merge(token: bytes, ranks: Mapping[bytes, int]) -> Pair | None:
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
            a rank, and a piece that is a token for that token. Or text is
            prepared, or cut in steps, which tiktoken cannot do.
    """
    from tiktoken import Encoding  # noqa: PLC0415  (optional)

    vocab, merges = tokenizer.vocab, tokenizer.merges
    _refuse_preparation(tokenizer)
    ids = [vocab[left + right] for left, right in merges]
    if ids != sorted(ids):
        raise ValueError(
            "the ids of the tokens do not follow the order of the merges, "
            "which tiktoken needs; save the tokenizer as tokenizer.json"
        )
    reachable = tokenizer.whole_pieces or tokenizer.rules.all_reachable()
    if not (reachable and _holds_last_merges(tokenizer)):
        raise ValueError(
            "the vocabulary holds a token that its own bytes do not merge to, "
            "and tiktoken would produce it; save it as tokenizer.json"
        )
    return Encoding(
        name,
        pat_str=str(tokenizer.cutter.expression),
        mergeable_ranks=vocab,
        special_tokens=tokenizer.special_tokens,
    )


def _refuse_preparation(tokenizer: BPETokenizer) -> None:
    trivial = tokenizer.preparation.is_trivial(tokenizer.special_tokens)
    if not trivial or not isinstance(tokenizer.pattern, str):
        raise ValueError(
            "tiktoken cuts text by one pattern and leaves it as it is, and "
            f"this tokenizer has {tokenizer.preparation} and the pattern "
            f"{tokenizer.pattern!r}; save it as tokenizer.json"
        )


def _holds_last_merges(tokenizer: BPETokenizer) -> bool:
    """Whether tiktoken's merges are among those of a tokenizer.

    What else makes a token is another cut of it, whose parts never come to
    stand side by side.
    """
    vocab, merges = tokenizer.vocab, {None, *tokenizer.merges}
    long = [token for token in vocab if len(token) > 1]
    return all(last_merge(token, vocab) in merges for token in long)
