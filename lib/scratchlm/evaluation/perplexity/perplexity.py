"""How surprising documents are to a model, in each of the usual units."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import nn

from scratchlm.evaluation.perplexity.rows import Row, score_rows
from scratchlm.evaluation.perplexity.windows import rolling_windows
from scratchlm.evaluation.uncertainty.statistics import (
    Interval,
    ratio_interval,
)
from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.tokenizer.base import SubwordTokenizer


@dataclass(frozen=True, kw_only=True)
class DocumentScores:
    """What each document costs a model, and how long it is.

    Args:
        nats: ``-log p`` of all its scored tokens, summed.
        n_tokens: how many are scored.
        n_bytes: of its text in UTF-8.
        n_words: of its text, between white space.
    """

    nats: Float[np.ndarray, " documents"]
    n_tokens: Int[np.ndarray, " documents"]
    n_bytes: Int[np.ndarray, " documents"]
    n_words: Int[np.ndarray, " documents"]

    def nats_per_token(self, *, level: float = 0.95) -> Interval:
        """Return the loss, with documents as what is drawn.

        Args:
            level: of the interval.
        """
        return ratio_interval(self.nats, self.n_tokens, level=level)

    def perplexity(self, *, level: float = 0.95) -> Interval:
        """Return the number of equally likely tokens that surprise as much.

        Only models with one tokenizer can be compared by it.

        Args:
            level: of the interval.
        """
        return _exponential(self.nats_per_token(level=level))

    def word_perplexity(self, *, level: float = 0.95) -> Interval:
        """Return the perplexity of a word, whatever it is cut into.

        Args:
            level: of the interval.
        """
        return _exponential(
            ratio_interval(self.nats, self.n_words, level=level)
        )

    def bits_per_byte(self, *, level: float = 0.95) -> Interval:
        """Return the bits that a byte of text costs.

        Any two models of one text can be compared by it.

        Args:
            level: of the interval.
        """
        return ratio_interval(self.nats / log(2), self.n_bytes, level=level)

    def of(self, documents: Sequence[int]) -> "DocumentScores":
        """Return the scores of some documents, as those of one domain.

        Args:
            documents: their numbers.
        """
        some = np.asarray(documents, np.int64)
        return DocumentScores(
            nats=self.nats[some],
            n_tokens=self.n_tokens[some],
            n_bytes=self.n_bytes[some],
            n_words=self.n_words[some],
        )


def token_nats(  # noqa: PLR0913
    model: nn.Module,
    documents: Sequence[Sequence[int]],
    *,
    start_id: int,
    end_id: int | None = None,
    max_tokens: int | None = None,
    stride: int | None = None,
    n_positions: int = 4096,
) -> list[Float[np.ndarray, " n"]]:
    """Return what each token of each document costs a model, in nats.

    Each document is read alone, behind one start token, which is not
    scored. A document that begins with it gets no second one.

    Args:
        model: a causal transformer in eval mode.
        documents: ids.
        start_id: what a text begins behind: the token for the beginning of
            a text, or the one that ends the text before.
        end_id: scored behind each document; nothing is if None.
        max_tokens: how many positions the model reads at once; as many as
            it is made for if None.
        stride: tokens that a window scores; see
            :func:`~scratchlm.evaluation.perplexity.windows.rolling_windows`.
        n_positions: how many are read in one batch.

    Returns:
        For each document one number for each token, its end included.

    Raises:
        ValueError: a document has no token to score, ``max_tokens`` is
            beyond what the model is made for, the stride does not fit, or
            the model gives no number for some token.
    """
    most = context_of(model, max_tokens)
    rows, owners = [], []
    for number, document in enumerate(documents):
        ids = framed(document, start_id, end_id)
        if len(ids) < 2:
            raise ValueError(
                f"document {number} has no token to score; leave it out"
            )
        for start, first, stop in rolling_windows(
            len(ids) - 1, max_tokens=most, stride=stride
        ):
            rows.append(Row(ids[start : stop + 1], first - start + 1))
            owners.append(number)
    pieces: list[list[np.ndarray]] = [[] for _ in documents]
    scores = score_rows(model, rows, n_positions=n_positions)
    for number, (nats, _) in zip(owners, scores, strict=True):
        pieces[number].append(nats)
    joined = [np.concatenate(some) for some in pieces]
    for number, nats in enumerate(joined):
        check_numbers(nats, f"document {number}")
    return joined


def score_documents(  # noqa: PLR0913
    model: nn.Module,
    tokenizer: SubwordTokenizer,
    texts: Sequence[str],
    *,
    start_id: int,
    end_id: int | None = None,
    max_tokens: int | None = None,
    stride: int | None = None,
    n_positions: int = 4096,
) -> DocumentScores:
    """Return what each text costs a model, and how long it is.

    Args:
        model: a causal transformer in eval mode.
        tokenizer: the one that it was trained with.
        texts: of the documents.
        start_id: see :func:`token_nats`.
        end_id: see :func:`token_nats`. The end has nats, and no bytes.
        max_tokens: see :func:`token_nats`.
        stride: see :func:`token_nats`.
        n_positions: see :func:`token_nats`.

    Raises:
        ValueError: see :func:`token_nats`; or ``texts`` is one string.
    """
    not_one_string(texts)
    nats = token_nats(
        model,
        tokenizer.encode_batch(texts),
        start_id=start_id,
        end_id=end_id,
        max_tokens=max_tokens,
        stride=stride,
        n_positions=n_positions,
    )
    return DocumentScores(
        nats=np.array([each.sum() for each in nats]),
        n_tokens=np.array([len(each) for each in nats]),
        n_bytes=np.array([len(text.encode()) for text in texts]),
        n_words=np.array([len(text.split()) for text in texts]),
    )


def framed(ids: Sequence[int], start_id: int, end_id: int | None) -> list[int]:
    """Return a document behind one start token, and before its end.

    Args:
        ids: which may begin with the start token already.
        start_id: what a text begins behind.
        end_id: what it ends with; nothing if None.
    """
    begun = len(ids) > 0 and ids[0] == start_id
    start = [] if begun else [start_id]
    return [*start, *ids, *([] if end_id is None else [end_id])]


def context_of(model: Any, max_tokens: int | None) -> int:
    """Return how many positions a model reads at once.

    Args:
        model: a transformer.
        max_tokens: at most so many; all that it is made for if None.

    Raises:
        ValueError: it is made for fewer, or ``max_tokens`` is below 1.
    """
    most = int(model.config.max_tokens)
    if max_tokens is None:
        return most
    if not 1 <= max_tokens <= most:
        raise ValueError(
            f"max_tokens is {max_tokens}, and the model is made for {most}; "
            f"give 1 to {most}"
        )
    return max_tokens


def check_numbers(nats: Float[np.ndarray, " n"], name: str) -> None:
    """Refuse costs that are no numbers, by the name of their document.

    Args:
        nats: of each token.
        name: of the document.

    Raises:
        ValueError: one is not a finite number.
    """
    bad = np.flatnonzero(~np.isfinite(nats))
    if len(bad):
        raise ValueError(
            f"{name}: the model gives {nats[bad[0]]} nats for its scored "
            f"token {bad[0]}; look for weights that are not finite, or "
            "logits that overflow 16 bits"
        )


def _exponential(interval: Interval) -> Interval:
    """Return the same of the exponential, with the error to first order."""
    value = exp(interval.value)
    return Interval(
        value=value,
        standard_error=value * interval.standard_error,
        low=exp(interval.low),
        high=exp(interval.high),
        n=interval.n,
        level=interval.level,
    )
