"""Likelihoods of documents and of continuations, and what they say."""

from scratchlm.evaluation.perplexity.compression import compress, decompress
from scratchlm.evaluation.perplexity.joining import Question, join
from scratchlm.evaluation.perplexity.perplexity import (
    DocumentScores,
    score_documents,
    token_nats,
)
from scratchlm.evaluation.perplexity.scoring import (
    Scored,
    score_continuations,
)
from scratchlm.evaluation.perplexity.windows import (
    Window,
    context_lengths,
    rolling_windows,
)
from scratchlm.evaluation.perplexity.world_surprise import (
    KNOWLEDGE,
    Surprise,
    by_token,
    world_surprise,
)

__all__ = [
    "KNOWLEDGE",
    "DocumentScores",
    "Question",
    "Scored",
    "Surprise",
    "Window",
    "by_token",
    "compress",
    "context_lengths",
    "decompress",
    "join",
    "rolling_windows",
    "score_continuations",
    "score_documents",
    "token_nats",
    "world_surprise",
]
