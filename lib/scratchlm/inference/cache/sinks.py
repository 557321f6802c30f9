"""A cache of bounded size, for texts longer than a model's context."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.inference.cache.kv_cache import Admitted, KVCache
from scratchlm.inference.cache.layers import Buffer
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.embeddings.embedding import TokenEmbedding
from scratchlm.model.positions.rotary import NoRotation, Rotary, Rotation

# Turns keys on by a number of positions.
Shift = Callable[[Tensor, int], Tensor]


class SinkLayer:
    """The first keys of a text, and the last.

    ::

        full     s s a b c d e f        s: sinks
        half of the others go, and the sinks are turned on by as many
                 s s d e f ░ ░ ░

    Scores depend on the distance of query and key alone. So the sinks,
    turned on by what was dropped, stand where the dropped keys stood, and
    no distance ever exceeds the size of the cache.

    Args:
        size: number of keys that are kept at most.
        n_sinks: how many of them are the first of the text.
        shift: turns keys on by a number of positions.
        turned: which of the two tensors is turned: 0 for keys and values,
            1 for the latents and rotary keys of latent attention.
    """

    def __init__(self, size: int, n_sinks: int, shift: Shift, turned: int):
        self.size, self.n_sinks = size, n_sinks
        self.shift, self.turned = shift, turned
        self.buffer, self.seen = Buffer(), 0

    @property
    def n_bytes(self) -> int:
        """Memory of its buffers, in bytes."""
        return self.buffer.n_bytes

    def append(
        self, k: Float[Tensor, "B K T H"], v: Float[Tensor, "B K T Hv"]
    ) -> tuple[Float[Tensor, "B K S H"], Float[Tensor, "B K S Hv"]]:
        """Keep those of T new positions; return the sinks and the last.

        Raises:
            ValueError: there are more new positions than it takes at once.
        """
        n_new, buffer = k.shape[2], self.buffer
        if not buffer.parts:
            buffer.make_room(k, v, self.size)
        longest = self.size - min(buffer.n, self.n_sinks)
        if n_new > longest:
            raise ValueError(
                f"{n_new} new positions for a cache of {self.size} with "
                f"{self.n_sinks} sinks; read the text in chunks of at most "
                f"{longest}"
            )
        if buffer.n + n_new > self.size:
            others = buffer.n - self.n_sinks
            self._drop(max(buffer.n + n_new - self.size, others // 2))
        buffer.write(k, v)
        self.seen += n_new
        return buffer.filled()

    def _drop(self, n: int) -> None:
        """Drop the n oldest behind the sinks; turn the sinks on."""
        self.buffer.forget(n, self.n_sinks)
        part = self.buffer.parts[self.turned]
        sinks = part[:, :, : self.n_sinks]
        part[:, :, : self.n_sinks] = self.shift(sinks, n)

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order."""
        self.buffer.keep(rows)


class SinkCache(KVCache):
    """The first and the last keys of a text that may go on for ever.

    A softmax has to put its weight somewhere. Heads that look for nothing
    put it on the first tokens, which each query sees. A window that drops
    them leaves that weight to tokens that mean something, so these few keys
    are kept.

    Args:
        model: a transformer whose order is RoPE or none.
        size: number of keys that a layer keeps at most.
        n_sinks: how many of them are the first of the text.

    Raises:
        ValueError: the sizes leave no room for two other keys, or the
            positions are in the embedding, which no turn of the keys can
            change.

    Source: Xiao et al. 2023, "Efficient Streaming Language Models with
    Attention Sinks", sec. 3.2.
    """

    endless = True

    def __init__(self, model: nn.Module, size: int, *, n_sinks: int = 4):
        if n_sinks < 0 or size < n_sinks + 2:
            raise ValueError(
                f"n_sinks is {n_sinks} and size {size}; give 0 or more "
                "sinks, and a size of at least two more"
            )
        shift = _shift_of(model)
        super().__init__(
            [
                SinkLayer(size, n_sinks, shift, _turned(block))
                for block in model.blocks  # type: ignore[union-attr]
            ]
        )
        self.size = size
        self.chunk = (size - n_sinks) // 2

    def admit(
        self, rows: Sequence[Sequence[int]], device: torch.device
    ) -> Admitted:
        """Make one tensor of the rows that are read next.

        Args:
            rows: new tokens of each row of the batch.
            device: of the tensor.

        Raises:
            ValueError: they are of unlike length, so that the first keys of
                a row would be padding.
        """
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise ValueError(
                f"rows of {min(lengths)} to {max(lengths)} tokens; a cache "
                "with sinks takes rows of one length"
            )
        return super().admit(rows, device)


def _shift_of(model: nn.Module) -> Shift:
    """Return what turns keys on by a number of positions."""
    rotary = model.rotary
    if type(model.embedding) is not TokenEmbedding:
        raise ValueError(
            f"{type(model.embedding).__name__} adds positions to the tokens, "
            "and they cannot be changed in keys; use a model with RoPE"
        )
    if isinstance(rotary, NoRotation):
        return lambda keys, n: keys
    if not isinstance(rotary, Rotary):
        raise ValueError(
            f"{type(rotary).__name__} is no turn that this cache knows; use "
            "a model with RoPE"
        )

    def shift(keys: Tensor, n: int) -> Tensor:
        by = torch.tensor([n], device=keys.device)
        return Rotation(rotary.angles(by))(keys)

    return shift


def _turned(block: nn.Module) -> int:
    """Return which of the two tensors of a layer is turned."""
    return int(isinstance(block.attention, LatentAttention))
