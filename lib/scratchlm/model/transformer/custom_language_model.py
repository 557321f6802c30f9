"""A language model in one class, in the form that GPT-2 made familiar."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.block.feedforward import MLP
from scratchlm.model.block.initialization import initialize
from scratchlm.model.block.norm import LayerNorm

_SIZES = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")


@dataclass(frozen=True, kw_only=True)
class LLMConfig:
    """The sizes of a :class:`CustomLanguageModel`.

    The defaults are those of the smallest GPT-2.

    Args:
        vocab_size: number of tokens V.
        block_size: length of the longest sequence, the largest T.
        n_layer: number of blocks L.
        n_head: number of heads N, a divisor of ``n_embd``.
        n_embd: width D of the residual stream.
        dropout: probability with which a number is set to zero while the
            model trains.
        bias: whether linear layers and norms add a learned shift.

    Raises:
        ValueError: a size is below 1, ``n_head`` does not divide
            ``n_embd``, or ``dropout`` is no probability below 1.
    """

    vocab_size: int = 50_257
    block_size: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float | int = 0.0
    bias: bool = True

    def __post_init__(self) -> None:
        for name in _SIZES:
            size = getattr(self, name)
            if size < 1:
                raise ValueError(f"{name} is {size}; use at least 1")
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_head is {self.n_head}, which does not divide n_embd, "
                f"{self.n_embd}; heads have equal shares of the width"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(
                f"dropout is {self.dropout}; use a probability from 0 to "
                "below 1"
            )


class Block(nn.Module):
    """Attention and an MLP, each behind a norm and before a dropout.

    Args:
        config: sizes of the model.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", sec. 2.3.
    """

    def __init__(self, config: LLMConfig):
        super().__init__()
        d_model, n_head, bias = config.n_embd, config.n_head, config.bias
        self.ln_1 = LayerNorm(d_model, bias=bias)
        self.attn = Attention(
            d_model,
            n_head,
            n_head,
            d_model // n_head,
            core=DotProduct(n_head),
            bias=bias,
            out_bias=bias,
        )
        self.ln_2 = LayerNorm(d_model, bias=bias)
        self.mlp = MLP(d_model, 4 * d_model, bias=bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return the stream with both layers' additions."""
        x = x + self.drop(self.attn(self.ln_1(x)))
        return x + self.drop(self.mlp(self.ln_2(x)))


class CustomLanguageModel(nn.Module):
    """Tokens to logits and, with targets, to a loss.

    ::

        idx ─ wte + wpe ─ drop ─ h[0] ─ … ─ h[L-1] ─ ln_f ─ lm_head ─ logits

    The head uses the weights of ``wte``.

    Args:
        config: sizes of the model.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", sec. 2.3; Press and Wolf 2016, "Using the Output
    Embedding to Improve Language Models".
    """

    def __init__(self, config: LLMConfig):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = LayerNorm(config.n_embd, bias=config.bias)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        initialize(self, config.n_layer)
        self.lm_head.weight = self.wte.weight

    def forward(
        self,
        idx: Int[Tensor, "B T"],
        targets: Int[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, ""] | None]:
        """Return logits, and their loss if there are targets.

        Args:
            idx: tokens, ids below ``vocab_size``.
            targets: the token that follows each; -100 where none counts.

        Raises:
            ValueError: the sequence is longer than ``block_size``.
        """
        if idx.shape[1] > self.config.block_size:
            raise ValueError(
                f"{idx.shape[1]} tokens, but block_size is "
                f"{self.config.block_size}; keep the last ones"
            )
        positions = torch.arange(idx.shape[1], device=idx.device)
        x = self.drop(self.wte(idx) + self.wpe(positions))
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())
