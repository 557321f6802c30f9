"""Attention that caches one short vector for all heads."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scratchlm.model.attention.attention import LayerCache, Turn, unturned
from scratchlm.model.attention.documents import Documents
from scratchlm.model.block.norm import RMSNorm
from scratchlm.model.transformer.transformer import Part


class LatentAttention(nn.Module):
    """Multi-head latent attention: keys and values from one latent vector.

    ::

        x ─┬─ (query_latent ─ norm) ─┬─ query ──────────────┐
           │                         └─ rotary_query ─ turn ┤
           ├─ latent ─ norm ──── (cache) ─┬─ key ───────────┼─ core ─ output
           │                              └─ value ─────────┤
           └─ rotary_key ─ turn ─ (cache) ──────────────────┘

    The cache keeps the latent vector and one rotary key, whatever the
    number of heads. With few queries against many keys no key is made
    from a latent at all: the matrices ``key`` and ``value`` move to the
    side of the queries (:meth:`absorbed`).

    Use it in a model as ``attention=partial(LatentAttention, d_latent=R,
    d_rotary=P)`` together with ``d_rotary=P``.

    Args:
        d_model: width D of the residual stream.
        n_heads: number of query heads N.
        n_kv_heads: the same number; a latent gives each head its own key.
        d_head: width H of the part of a head that does not turn.
        core: takes q, k and v and returns the mixed values; divides the
            scores by the root of their width unless it has a ``scale``.
        d_latent: width R of the latent vector of keys and values.
        d_rotary: width P of the part of a head that turns, even.
        d_query_latent: width of the latent vector of the queries; they
            are made from the stream itself if None.
        norm: makes a normalisation of a latent's width.

    Raises:
        ValueError: ``n_kv_heads`` differs from ``n_heads``.

    Source: DeepSeek-AI 2024, "DeepSeek-V2", sec. 2.1.
    """

    def __init__(  # noqa: PLR0913
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int,
        d_head: int,
        *,
        core: nn.Module,
        d_latent: int,
        d_rotary: int,
        d_query_latent: int | None = None,
        norm: Part = RMSNorm,
    ):
        super().__init__()
        if n_kv_heads != n_heads:
            raise ValueError(
                f"n_kv_heads is {n_kv_heads} and n_heads {n_heads}; a latent "
                "vector gives each head a key of its own, so use the same"
            )
        self.n_heads, self.d_head = n_heads, d_head
        self.d_latent, self.d_rotary = d_latent, d_rotary
        linear = partial(nn.Linear, bias=False)
        self.query_latent: nn.Module = nn.Identity()
        if d_query_latent is not None:
            self.query_latent = nn.Sequential(
                linear(d_model, d_query_latent), norm(d_query_latent)
            )
        d_query = d_query_latent or d_model
        self.query = linear(d_query, n_heads * d_head)
        self.rotary_query = linear(d_query, n_heads * d_rotary)
        self.latent = nn.Sequential(linear(d_model, d_latent), norm(d_latent))
        self.rotary_key = linear(d_model, d_rotary)
        self.key = linear(d_latent, n_heads * d_head)
        self.value = linear(d_latent, n_heads * d_head)
        self.output = linear(n_heads * d_head, d_model)
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
            turn: applied to rotary queries and keys (RoPE).
            cache: keeps latents and rotary keys of positions before these.
            documents: of all S positions; None if each row is one.
        """
        narrow = self.query_latent(x)
        query = self._heads(self.query(narrow))
        rotary_query = turn(self._heads(self.rotary_query(narrow)))
        # One head: every query head reads the same latent and rotary key.
        latent = self.latent(x).unsqueeze(1)
        rotary_key = turn(self.rotary_key(x).unsqueeze(1))
        if cache is not None:
            latent, rotary_key = cache.append(latent, rotary_key)
            if documents is not None:  # keys may have been forgotten
                documents = documents.last(latent.shape[2])
        n_tokens, n_keys = x.shape[1], latent.shape[2]
        absorbing = self.absorbing_is_cheaper(n_tokens, n_keys)
        mix = self.absorbed if absorbing else self.expanded
        mixed = mix(query, rotary_query, latent, rotary_key, documents)
        return self.output(mixed.transpose(1, 2).flatten(-2))

    def absorbing_is_cheaper(self, n_tokens: int, n_keys: int) -> bool:
        """Return whether :meth:`absorbed` takes fewer multiplications.

        Args:
            n_tokens: T, the number of queries.
            n_keys: S, the number of keys.
        """
        saved = self.d_head * self.d_latent * (n_keys - n_tokens)
        wider = n_tokens * n_keys * (self.d_latent - self.d_head)
        return saved > wider

    def expanded(
        self,
        query: Float[Tensor, "B N T H"],
        rotary_query: Float[Tensor, "B N T P"],
        latent: Float[Tensor, "B 1 S R"],
        rotary_key: Float[Tensor, "B 1 S P"],
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T H"]:
        """Make each head's keys and values, then attend."""
        key = self._heads(self.key(latent[:, 0]))
        value = self._heads(self.value(latent[:, 0]))
        shared = rotary_key.expand(-1, self.n_heads, -1, -1)
        return self.core(
            torch.cat((query, rotary_query), -1),
            torch.cat((key, shared), -1),
            value,
            documents,
        )

    def absorbed(
        self,
        query: Float[Tensor, "B N T H"],
        rotary_query: Float[Tensor, "B N T P"],
        latent: Float[Tensor, "B 1 S R"],
        rotary_key: Float[Tensor, "B 1 S P"],
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T H"]:
        """Attend to the latents themselves, as keys and as values.

        ``q (W c) = (q W) c``: the key matrix acts on the query, and the
        value matrix on the mixture, once for each query and not for each
        key. It is multi-query attention with heads of width R + P.
        """
        by_head = self.n_heads, self.d_head, self.d_latent
        to_latent = query @ self.key.weight.view(by_head)
        wide = torch.cat((to_latent, rotary_query), -1)
        if getattr(self.core, "scale", None) is None:
            # The core divides by the root of the width that it sees.
            narrow = self.d_head + self.d_rotary
            wide = wide * (wide.shape[-1] / narrow) ** 0.5
        keys = torch.cat((latent, rotary_key), -1)
        mixed = self.core(wide, keys, latent, documents)
        return mixed @ self.value.weight.view(by_head).mT

    def _heads(self, x: Tensor) -> Tensor:
        by_head = x.reshape(*x.shape[:2], self.n_heads, -1)
        return by_head.transpose(1, 2)
