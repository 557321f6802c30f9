"""Keys and values of one layer, kept for the tokens that follow.

No gradient flows through what is kept.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Memory for this many positions at least, so that a short text does not
# grow its buffer at each of its first tokens.
_LEAST = 64


@runtime_checkable
class KeptLayer(Protocol):
    """What a cache knows of the layers that it is made of."""

    @property
    def seen(self) -> int:
        """How many positions it has been given."""
        ...

    @property
    def n_bytes(self) -> int:
        """Memory of its buffers, in bytes."""
        ...

    def append(
        self, k: Float[Tensor, "B K T H"], v: Float[Tensor, "B K T Hv"]
    ) -> tuple[Float[Tensor, "B K S H"], Float[Tensor, "B K S Hv"]]:
        """Keep those of T new positions; return those to attend to."""
        ...

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order."""
        ...


class Buffer:
    """Room for positions behind each other, which grows when it is full.

    Keys lie in one tensor and values in another, of shape (B, K, room, H).
    Both get their type, device and widths from the first that are written.
    """

    def __init__(self) -> None:
        self.parts: tuple[Tensor, ...] = ()
        self.n = 0

    @property
    def room(self) -> int:
        """For how many positions there is memory."""
        return self.parts[0].shape[2] if self.parts else 0

    @property
    def n_bytes(self) -> int:
        """Memory of both tensors."""
        return sum(part.nbytes for part in self.parts)

    def filled(self, start: int = 0) -> tuple[Tensor, Tensor]:
        """Return the keys and values from a position on, without a copy."""
        k, v = (part[:, :, start : self.n] for part in self.parts)
        return k, v

    def write(self, k: Tensor, v: Tensor) -> None:
        """Write behind the last position; there must be room."""
        stop = self.n + k.shape[2]
        for part, new in zip(self.parts, (k, v), strict=True):
            part[:, :, self.n : stop] = new.detach()
        self.n = stop

    def make_room(self, k: Tensor, v: Tensor, n: int) -> None:
        """Move what is kept to buffers for n positions.

        Args:
            k: keys as those to come, whose type and widths count.
            v: values.
            n: how many positions there must be room for.
        """
        old = [part[:, :, : self.n] for part in self.parts]
        self.parts = tuple(
            new.new_empty(*new.shape[:2], n, new.shape[3], requires_grad=False)
            for new in (k, v)
        )
        for part, kept in zip(self.parts, old, strict=False):
            part[:, :, : self.n] = kept

    def forget(self, n: int, start: int = 0) -> None:
        """Drop n positions from one on, and move the later ones up."""
        stop = self.n - n
        for part in self.parts:
            # The copy: source and target may overlap.
            part[:, :, start:stop] = part[:, :, start + n : self.n].clone()
        self.n = stop

    def keep(self, rows: Tensor) -> None:
        """Keep these rows alone, in this order."""
        self.parts = tuple(part.index_select(0, rows) for part in self.parts)


class ContiguousLayer:
    """Keys and values of all positions, one behind the other.

    ::

        room   ████████████░░░░
               0 ─ seen ─┘

    A new position is written in place. The buffers double when they are
    full, so that a text of n tokens is moved log n times and not n times.
    """

    def __init__(self) -> None:
        self.buffer = Buffer()

    @property
    def seen(self) -> int:
        """How many positions it has been given."""
        return self.buffer.n

    @property
    def n_bytes(self) -> int:
        """Memory of its buffers, in bytes."""
        return self.buffer.n_bytes

    def append(
        self, k: Float[Tensor, "B K T H"], v: Float[Tensor, "B K T Hv"]
    ) -> tuple[Float[Tensor, "B K S H"], Float[Tensor, "B K S Hv"]]:
        """Keep those of T new positions; return those of all S."""
        needed = self.buffer.n + k.shape[2]
        if needed > self.buffer.room:
            room = max(_LEAST, needed, 2 * self.buffer.room)
            self.buffer.make_room(k, v, room)
        self.buffer.write(k, v)
        return self.buffer.filled()

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order."""
        self.buffer.keep(rows)


class RollingLayer:
    """Keys and values of the last positions, as many as a window sees.

    ::

        room   ░░░░░░████████░░      twice the window
               gone  └ kept ┘ next

    The kept ones stay in the order of their positions, which masks and
    ALiBi rely on, and which a ring that writes over its oldest entry does
    not keep. At the end of the buffer they move to its beginning, once for
    as many positions as the window holds.

    Args:
        size: number of keys that a query sees, itself included.

    Raises:
        ValueError: ``size`` is below 1.
    """

    def __init__(self, size: int):
        if size < 1:
            raise ValueError(
                f"a window of {size} keys hides even the query's own; use at "
                "least 1"
            )
        self.size, self.seen = size, 0
        self.buffer = Buffer()

    @property
    def n_bytes(self) -> int:
        """Memory of its buffers, in bytes."""
        return self.buffer.n_bytes

    def append(
        self, k: Float[Tensor, "B K T H"], v: Float[Tensor, "B K T Hv"]
    ) -> tuple[Float[Tensor, "B K S H"], Float[Tensor, "B K S Hv"]]:
        """Keep those of T new positions; return those that they may see.

        These are the T new ones, and before them the last ``size - 1``.
        """
        n_new = k.shape[2]
        if not self.buffer.parts:
            self.buffer.make_room(k, v, 2 * self.size)
        before = min(self.seen, self.size - 1)
        self.seen += n_new
        if n_new > self.size:
            return self._long(k, v, before)
        if self.buffer.n + n_new > self.buffer.room:
            self.buffer.forget(self.buffer.n - before)
        start = self.buffer.n - before
        self.buffer.write(k, v)
        return self.buffer.filled(start)

    def _long(
        self, k: Tensor, v: Tensor, before: int
    ) -> tuple[Tensor, Tensor]:
        """Take more positions at once than the buffer is made for."""
        kept = self.buffer.filled(self.buffer.n - before)
        joined = [
            torch.cat((old, new), 2)
            for old, new in zip(kept, (k, v), strict=True)
        ]
        self.buffer.n = 0
        self.buffer.write(*(new[:, :, -self.size :] for new in (k, v)))
        return joined[0], joined[1]

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order."""
        self.buffer.keep(rows)
