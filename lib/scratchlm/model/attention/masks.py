"""Which keys a query may see."""

from dataclasses import dataclass
from sys import maxsize
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Hidden = Literal["nothing", "future", "more"]


@runtime_checkable
class Mask(Protocol):
    """Which keys a query may see."""

    def hides(self, n_tokens: int, n_keys: int) -> Hidden:
        """Return ``"nothing"``, ``"future"`` or ``"more"``.

        ``"future"`` is a full causal square, for which kernels need no
        mask; for ``"more"`` they need the one of :meth:`visible`.
        """
        ...

    def visible(
        self, n_tokens: int, n_keys: int, device: torch.device
    ) -> Bool[Tensor, "*B T S"]:
        """Return True where query t may see key s.

        Rows that differ have axes of their own, one for rows and one for
        heads.
        """
        ...


class Reach(NamedTuple):
    """How far a query sees to either side.

    A mask that is a band around the diagonal has one as ``reach``, and a
    kernel can tell from two numbers which tiles it may skip.

    Args:
        behind: number of keys before the query's own.
        ahead: number of keys after it.
    """

    behind: int
    ahead: int


def distances(
    n_tokens: int, n_keys: int, device: torch.device
) -> Int[Tensor, "T S"]:
    """Return how far key s lies behind query t; negative if ahead.

    The last query stands at the last key. Counting both from 0 instead is
    wrong as soon as a cache makes S larger than T.

    Args:
        n_tokens: T, the number of queries.
        n_keys: S, the number of keys, at least T.
        device: where the result lies.

    Raises:
        ValueError: there are more queries than keys.
    """
    if n_tokens > n_keys:
        raise ValueError(
            f"{n_tokens} queries but {n_keys} keys: each query stands at a "
            "key; append the keys of this call to the cache first"
        )
    keys = torch.arange(n_keys, device=device)
    return keys[n_keys - n_tokens :, None] - keys


@dataclass(frozen=True)
class Causal:
    """Each query sees its own position and all before it."""

    @property
    def reach(self) -> Reach:
        """How far a query sees."""
        return Reach(maxsize, 0)

    def hides(self, n_tokens: int, n_keys: int) -> Hidden:
        """Return what :class:`Mask` asks for."""
        if n_tokens == 1:
            return "nothing"
        return "future" if n_tokens == n_keys else "more"

    def visible(
        self, n_tokens: int, n_keys: int, device: torch.device
    ) -> Bool[Tensor, "T S"]:
        """Return True where the key is not ahead."""
        return distances(n_tokens, n_keys, device) >= 0


CAUSAL = Causal()


@dataclass(frozen=True)
class Window:
    """Each query sees its own position and some before it.

    Args:
        size: number of keys that a query sees, itself included.

    Raises:
        ValueError: ``size`` is below 1.

    Source: Beltagy, Peters and Cohan 2020, "Longformer", sec. 3.1.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(
                f"a window of {self.size} keys hides even the query's own; "
                "use at least 1"
            )

    @property
    def reach(self) -> Reach:
        """How far a query sees."""
        return Reach(self.size - 1, 0)

    def hides(self, n_tokens: int, n_keys: int) -> Hidden:
        """Return what :class:`Mask` asks for."""
        if n_keys <= self.size:
            return CAUSAL.hides(n_tokens, n_keys)
        return "more"

    def visible(
        self, n_tokens: int, n_keys: int, device: torch.device
    ) -> Bool[Tensor, "T S"]:
        """Return True where the key is neither ahead nor too far back."""
        back = distances(n_tokens, n_keys, device)
        return (back >= 0) & (back < self.size)


@dataclass(frozen=True)
class Everything:
    """Each query sees each key, as in an encoder."""

    @property
    def reach(self) -> Reach:
        """How far a query sees."""
        return Reach(maxsize, maxsize)

    def hides(self, n_tokens: int, n_keys: int) -> Hidden:
        """Return what :class:`Mask` asks for."""
        return "nothing"

    def visible(
        self, n_tokens: int, n_keys: int, device: torch.device
    ) -> Bool[Tensor, "T S"]:
        """Return True everywhere."""
        return torch.ones(n_tokens, n_keys, dtype=torch.bool, device=device)
