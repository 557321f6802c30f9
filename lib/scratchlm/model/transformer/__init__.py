"""A language model from tokens to a loss."""

from scratchlm.model.transformer.custom_language_model import (
    CustomLanguageModel,
    LLMConfig,
)
from scratchlm.model.transformer.head import LinearHead, SoftcappedHead
from scratchlm.model.transformer.kernels.fused_loss import (
    fused_cross_entropy,
    fused_cross_entropy_sum,
    fused_linear_cross_entropy,
    fused_linear_cross_entropy_sum,
)
from scratchlm.model.transformer.kernels.lending_head import LendingHead
from scratchlm.model.transformer.loss import (
    cross_entropy,
    cross_entropy_sum,
    linear_cross_entropy,
    linear_cross_entropy_sum,
)
from scratchlm.model.transformer.transformer import (
    Cache,
    Part,
    Transformer,
    TransformerConfig,
)

__all__ = [
    "Cache",
    "CustomLanguageModel",
    "LLMConfig",
    "LendingHead",
    "LinearHead",
    "Part",
    "SoftcappedHead",
    "Transformer",
    "TransformerConfig",
    "cross_entropy",
    "cross_entropy_sum",
    "fused_cross_entropy",
    "fused_cross_entropy_sum",
    "fused_linear_cross_entropy",
    "fused_linear_cross_entropy_sum",
    "linear_cross_entropy",
    "linear_cross_entropy_sum",
]
