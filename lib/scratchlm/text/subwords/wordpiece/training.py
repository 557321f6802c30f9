"""Learning WordPiece's vocabulary."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from scratchlm.text.subwords.alphabet import counted, covered, only_of
from scratchlm.text.subwords.wordpiece.merging import (
    CRITERIA,
    Criterion,
    PairTrainer,
    TokenPair,
    joined,
    likelihood,
)
from scratchlm.text.tokenizer.special_tokens import SpecialTokens

UNKNOWN = "[UNK]"


def train_wordpiece(  # noqa: PLR0913
    texts: Iterable[str],
    vocab_size: int,
    *,
    pattern: str,
    special_tokens: Sequence[str],
    criterion: str,
    min_count: int,
    coverage: float,
    workers: int | None,
    progress: bool,
) -> dict[str, Any]:
    """Learn the fields of a tokenizer; its ``train`` says how and from what.

    Returns:
        The fields of a ``WordPieceTokenizer``.
    """
    SpecialTokens.following(special_tokens, 0)  # raises on bad ones
    if criterion not in CRITERIA:
        raise ValueError(
            f"criterion is {criterion!r}; give one of {', '.join(CRITERIA)}"
        )
    counts = counted(texts, pattern, workers, special_tokens)
    alphabet = sorted(covered(counts, coverage))
    tokens = [UNKNOWN, *alphabet, *("##" + c for c in alphabet)]
    room = vocab_size - len(tokens) - len(special_tokens)
    if room < 0:
        raise ValueError(_too_small(vocab_size, room, alphabet))
    merges = learn_best_merges(
        only_of(counts, frozenset(alphabet)),
        room,
        criterion=CRITERIA[criterion],
        min_count=min_count,
        progress=progress,
    )
    tokens += [joined(*pair) for pair in merges]
    if len(merges) < room:
        _warn_of_few(len(merges), len(tokens) + len(special_tokens))
    special = SpecialTokens.following(special_tokens, len(tokens))
    return {
        "pattern": pattern,
        "vocab": {token: i for i, token in enumerate(tokens)},
        "special_tokens": special.ids,
        "unknown": UNKNOWN,
    }


def _warn_of_few(n_merges: int, n_tokens: int) -> None:
    warnings.warn(
        f"the text holds only {n_merges} merges, so the vocabulary has "
        f"{n_tokens} tokens, not as many as asked for; give more text or a "
        "smaller vocab_size",
        stacklevel=4,
    )


def _too_small(vocab_size: int, room: int, alphabet: Sequence[str]) -> str:
    return (
        f"vocab_size is {vocab_size}, but the unknown token, {len(alphabet)} "
        f"characters in two forms and the special tokens are "
        f"{vocab_size - room}; give at least as many, or a smaller coverage"
    )


def learn_best_merges(
    piece_counts: Mapping[str, int],
    n_merges: int,
    *,
    criterion: Criterion = likelihood,
    min_count: int = 2,
    progress: bool = False,
) -> list[TokenPair]:
    """Learn merges, the largest gain first.

    Args:
        piece_counts: how often each piece occurs in the corpus.
        n_merges: how many merges to learn.
        criterion: the gain of pairs from their counts. For a pair whose own
            tokens' counts stay, it must not rise when others merge.
        min_count: pairs that occur less often do not merge.
        progress: show a progress bar.

    Returns:
        The merges in order, written as tokens with their marks. Of equal
        gains the lexicographically greatest pair comes first. No merge makes
        a token that begins a piece with the mark, which would be mistaken.
    """
    trainer = PairTrainer(piece_counts, criterion, min_count)
    merges: list[TokenPair] = []
    for _ in tqdm(range(n_merges), "merges", disable=not progress):
        pair = trainer.merge_best()
        if pair is None:
            break
        merges.append(pair)
    return merges
