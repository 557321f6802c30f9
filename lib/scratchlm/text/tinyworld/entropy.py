"""The entropy of documents, for each byte of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EntropyRate:
    """Entropy for each byte of text, the floor below every model's loss.

    Args:
        nats_per_byte: the entropy of a document over its expected bytes.
        standard_error: of that, in nats per byte; zero where it is exact.
        nats_per_document: the entropy of a document.
        bytes_per_document: its expected length.
        n_documents: how many documents were counted or drawn.
    """

    nats_per_byte: float
    standard_error: float
    nats_per_document: float
    bytes_per_document: float
    n_documents: int

    @property
    def bits_per_byte(self) -> float:
        """The same in bits."""
        return self.nats_per_byte / math.log(2)


def exact_rate(documents: Iterable[tuple[float, int]]) -> EntropyRate:
    """The rate from all documents there are.

    Args:
        documents: for each its log-probability in nats, and its bytes.
    """
    every = list(documents)
    nats = -math.fsum(math.exp(log_prob) * log_prob for log_prob, _ in every)
    size = math.fsum(math.exp(log_prob) * n for log_prob, n in every)
    return EntropyRate(
        nats_per_byte=nats / size,
        standard_error=0.0,
        nats_per_document=nats,
        bytes_per_document=size,
        n_documents=len(every),
    )


def estimated_rate(documents: Sequence[tuple[float, int]]) -> EntropyRate:
    """The rate from documents drawn at random.

    Its error is that of a ratio of two means, to first order.

    Args:
        documents: for each the entropies of its choices, each given those
            before it, summed, in nats; and its bytes.

    Raises:
        ValueError: if there are fewer than two, too few for an error.

    Source: Cochran 1977, "Sampling Techniques", section 6.4.
    """
    n = len(documents)
    if n < 2:
        raise ValueError(
            f"{n} documents say nothing about an error; draw two or more"
        )
    nats = math.fsum(entropy for entropy, _ in documents) / n
    size = math.fsum(length for _, length in documents) / n
    rate = nats / size
    squares = math.fsum((h - rate * b) ** 2 for h, b in documents)
    return EntropyRate(
        nats_per_byte=rate,
        standard_error=math.sqrt(squares / (n - 1) / n) / size,
        nats_per_document=nats,
        bytes_per_document=size,
        n_documents=n,
    )
