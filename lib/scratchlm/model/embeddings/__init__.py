"""From tokens to vectors, and why order must be added."""

from scratchlm.model.embeddings.angles import Angles, Scaling, rope_frequencies
from scratchlm.model.embeddings.embedding import (
    LearnedPositions,
    SinusoidalPositions,
    TokenEmbedding,
)

__all__ = [
    "Angles",
    "LearnedPositions",
    "Scaling",
    "SinusoidalPositions",
    "TokenEmbedding",
    "rope_frequencies",
]
