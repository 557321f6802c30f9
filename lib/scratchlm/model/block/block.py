"""One layer: attention, then the feed-forward layer, around a stream.

The four blocks differ in where they normalise. Each is two lines.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from scratchlm.model.attention.attention import LayerCache, Turn, unturned
from scratchlm.model.attention.documents import Documents


class PreNorm(nn.Module):
    """Normalise what a layer reads.

    Nothing stands in the way of the residual stream from the embedding to
    the head, so gradients arrive at the first layer as they left.

    Args:
        attention: what mixes positions; called with (x, turn, cache,
            documents).
        feedforward: what works on each position alone.
        norm: makes a normalisation of the stream's width.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", sec. 2.3; Xiong et al. 2020, "On Layer
    Normalization in the Transformer Architecture".
    """

    def __init__(
        self,
        attention: nn.Module,
        feedforward: nn.Module,
        norm: Callable[[], nn.Module],
    ):
        super().__init__()
        self.attention_norm, self.attention = norm(), attention
        self.feedforward_norm, self.feedforward = norm(), feedforward

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        turn: Turn = unturned,
        cache: LayerCache | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return the stream with both layers' additions."""
        x = x + self.attention(self.attention_norm(x), turn, cache, documents)
        return x + self.feedforward(self.feedforward_norm(x))


class PostNorm(PreNorm):
    """Normalise the stream itself, as in 2017.

    Args:
        attention: what mixes positions; called with (x, turn, cache,
            documents).
        feedforward: what works on each position alone.
        norm: makes a normalisation of the stream's width.

    Source: Vaswani et al. 2017, "Attention Is All You Need", sec. 3.1.
    """

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        turn: Turn = unturned,
        cache: LayerCache | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return the stream, normalised after each addition."""
        x = self.attention_norm(x + self.attention(x, turn, cache, documents))
        return self.feedforward_norm(x + self.feedforward(x))


class OutputNorm(PreNorm):
    """Normalise what a layer adds.

    Args:
        attention: what mixes positions; called with (x, turn, cache,
            documents).
        feedforward: what works on each position alone.
        norm: makes a normalisation of the stream's width.

    Source: OLMo Team 2024, "2 OLMo 2 Furious", sec. 3.2.
    """

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        turn: Turn = unturned,
        cache: LayerCache | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return the stream with both layers' normalised additions."""
        x = x + self.attention_norm(self.attention(x, turn, cache, documents))
        return x + self.feedforward_norm(self.feedforward(x))


class SandwichNorm(PreNorm):
    """Normalise what a layer reads and what it adds.

    Args:
        attention: what mixes positions; called with (x, turn, cache,
            documents).
        feedforward: what works on each position alone.
        norm: makes a normalisation of the stream's width.

    Source: Gemma Team 2024, "Gemma 2", sec. 2.
    """

    def __init__(
        self,
        attention: nn.Module,
        feedforward: nn.Module,
        norm: Callable[[], nn.Module],
    ):
        super().__init__(attention, feedforward, norm)
        self.attention_out_norm = norm()
        self.feedforward_out_norm = norm()

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        turn: Turn = unturned,
        cache: LayerCache | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return the stream with both layers' normalised additions."""
        mixed = self.attention(self.attention_norm(x), turn, cache, documents)
        x = x + self.attention_out_norm(mixed)
        worked = self.feedforward(self.feedforward_norm(x))
        return x + self.feedforward_out_norm(worked)
