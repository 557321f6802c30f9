"""What training minimises, and the numbers that judge it."""

from scratchlm.training.objective.kernels.chunked import chunked_term_loss
from scratchlm.training.objective.loss import (
    Loss,
    Summed,
    n_valid,
    next_token_loss,
    together,
)
from scratchlm.training.objective.metrics import (
    bits_per_byte,
    code_bits,
    perplexity,
)
from scratchlm.training.objective.multi_token import (
    MultiTokenHeads,
    targets_ahead,
)
from scratchlm.training.objective.scoring import document_nats
from scratchlm.training.objective.terms import (
    Smoothed,
    SumOf,
    Term,
    ZLoss,
    surprise,
    term_loss,
)

__all__ = [
    "Loss",
    "MultiTokenHeads",
    "Smoothed",
    "SumOf",
    "Summed",
    "Term",
    "ZLoss",
    "bits_per_byte",
    "chunked_term_loss",
    "code_bits",
    "document_nats",
    "n_valid",
    "next_token_loss",
    "perplexity",
    "surprise",
    "targets_ahead",
    "term_loss",
    "together",
]
