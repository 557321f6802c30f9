"""Tokens look each other up."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from scratchlm.model.attention.documents import Documents

# What is done to queries and keys before they are compared, by position.
Turn = Callable[[Tensor], Tensor]


def unturned(x: Tensor) -> Tensor:
    """Return ``x`` as it is."""
    return x


@runtime_checkable
class LayerCache(Protocol):
    """What attention knows of a cache."""

    def append(
        self, k: Float[Tensor, "B K T H"], v: Float[Tensor, "B K T Hv"]
    ) -> tuple[Float[Tensor, "B K S H"], Float[Tensor, "B K S Hv"]]:
        """Keep the keys and values of T new positions; return all S."""
        ...


class Attention(nn.Module):
    """Each position asks, and receives a mixture of answers.

    ::

        x ─┬─ query ─ q_norm ─ turn ──────────────┐
           ├─ key ─── k_norm ─ turn ─┐            ├─ core ─ output ─ y
           └─ value ─────────────────┴─ (cache) ──┘

    With ``n_kv_heads == n_heads`` it is multi-head attention, with fewer
    grouped-query attention, with one multi-query attention.

    Args:
        d_model: width D of the residual stream.
        n_heads: number of query heads N.
        n_kv_heads: number of key and value heads K, a divisor of N.
        d_head: width H of one head.
        core: takes q, k and v and returns the mixed values.
        qk_norm: called with a number of heads and H, makes a norm for
            queries or keys of shape (B, T, heads, H); none if None.
        bias: whether the projections of the input add a learned shift.
        out_bias: whether the output projection adds one.

    Raises:
        ValueError: K does not divide N.

    Source: Vaswani et al. 2017, "Attention Is All You Need", sec. 3.2;
    Shazeer 2019, "Fast Transformer Decoding"; Ainslie et al. 2023, "GQA".
    """

    def __init__(  # noqa: PLR0913
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int,
        d_head: int,
        *,
        core: nn.Module,
        qk_norm: Callable[[int, int], nn.Module] | None = None,
        bias: bool = False,
        out_bias: bool = False,
    ):
        super().__init__()
        if n_heads % n_kv_heads:
            raise ValueError(
                f"{n_heads} query heads cannot share {n_kv_heads} key heads "
                "evenly; n_kv_heads must divide n_heads"
            )
        self.n_heads, self.n_kv_heads = n_heads, n_kv_heads
        self.d_head = d_head
        self.query = nn.Linear(d_model, n_heads * d_head, bias=bias)
        self.key = nn.Linear(d_model, n_kv_heads * d_head, bias=bias)
        self.value = nn.Linear(d_model, n_kv_heads * d_head, bias=bias)
        self.output = nn.Linear(n_heads * d_head, d_model, bias=out_bias)
        norm = qk_norm or (lambda n_heads, d_head: nn.Identity())
        self.q_norm = norm(n_heads, d_head)
        self.k_norm = norm(n_kv_heads, d_head)
        self.core = core

    def forward(
        self,
        x: Float[Tensor, "B T D"],
        turn: Turn = unturned,
        cache: LayerCache | None = None,
        documents: Documents | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return what attention adds to each position.

        Args:
            x: the normalised residual stream.
            turn: applied to queries and keys (RoPE).
            cache: keeps keys and values of positions before these.
            documents: of all S positions; None if each row is one.
        """
        width = -1, self.d_head
        q = self.q_norm(self.query(x).unflatten(-1, width)).transpose(1, 2)
        k = self.k_norm(self.key(x).unflatten(-1, width)).transpose(1, 2)
        v = self.value(x).unflatten(-1, width).transpose(1, 2)
        q, k = turn(q), turn(k)
        if cache is not None:
            k, v = cache.append(k, v)
            if documents is not None:  # keys may have been forgotten
                documents = documents.last(k.shape[2])
        mixed = self.core(q, k, v, documents)
        return self.output(mixed.transpose(1, 2).flatten(-2))
