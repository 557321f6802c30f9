"""Bytes that one rank sends for a layer, forward and backward."""

from dataclasses import dataclass
from math import lcm


@dataclass(frozen=True, kw_only=True)
class AttentionShape:
    """What a rank holds of one layer's attention.

    Args:
        n_rows: B.
        n_tokens: T, of the whole row.
        n_heads: N.
        n_kv_heads: K.
        d_head: H.
        size: W, the number of ranks.
        width: bytes of a number.
    """

    n_rows: int
    n_tokens: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    size: int
    width: int

    @property
    def head(self) -> int:
        """Bytes of one head of this rank's positions."""
        share = self.n_rows * self.n_tokens * self.d_head // self.size
        return share * self.width


def ring_bytes(shape: AttentionShape) -> tuple[int, int]:
    """Return the bytes that one rank sends in a ring.

    Keys and values make W - 1 steps, backward too, followed by their
    gradients. All numbers count as equally wide, but ``RingAttention``
    sends gradients of 16-bit keys in 32 bits.

    Args:
        shape: of the layer.

    Returns:
        Forward and backward.
    """
    forward = (shape.size - 1) * 2 * shape.n_kv_heads * shape.head
    return forward, 2 * forward


def ulysses_bytes(shape: AttentionShape) -> tuple[int, int]:
    """Return the bytes that one rank sends in all-to-alls.

    Of all that it holds it keeps 1 / W. Key heads that are too few are sent
    several times.

    Args:
        shape: of the layer.

    Returns:
        Forward and backward, which are equal.
    """
    heads = 2 * shape.n_heads + 2 * lcm(shape.n_kv_heads, shape.size)
    forward = heads * shape.head * (shape.size - 1) // shape.size
    return forward, forward


def dispatch_bytes(
    n_tokens: int, d_model: int, *, top_k: int, size: int, width: int
) -> float:
    """Return the bytes that one rank sends for a layer of experts, forward.

    Each token goes to k experts and comes back, and 1 / W of all experts
    are at home. Backward sends as much again.

    Args:
        n_tokens: of this rank.
        d_model: D.
        top_k: experts that a token visits, chosen equally often.
        size: W, the number of ranks.
        width: bytes of a number.
    """
    return 2 * top_k * n_tokens * d_model * width * (size - 1) / size
