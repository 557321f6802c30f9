"""Collectives, written out as messages from one rank to another."""

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch import distributed as dist


class Wire:
    """What one rank sends to the others of a group, and how much.

    Args:
        group: the ranks; they are counted from 0 within it.

    Attributes:
        rank: of this process in the group.
        size: W, how many ranks there are.
        sent: bytes that this rank has sent.
        messages: how many messages they were.
    """

    def __init__(self, group: dist.ProcessGroup):
        self.group = group
        self.rank, self.size = group.rank(), group.size()
        self.sent = self.messages = 0

    def send(self, x: Tensor, to: int) -> None:
        """Send a tensor; returns once it may be changed again."""
        self.start_send(x, to).wait()

    def receive(self, into: Tensor, source: int) -> None:
        """Wait for a tensor of known shape and type, and write it here."""
        self.start_receive(into, source).wait()

    def exchange(self, x: Tensor, to: int, into: Tensor, source: int) -> None:
        """Send and receive at the same time, so that a ring cannot block."""
        coming = self.start_receive(into, source)
        going = self.start_send(x, to)
        coming.wait()
        going.wait()

    def start_send(self, x: Tensor, to: int, tag: int = 0) -> dist.Work:
        """Begin to send; x must stay as it is until the work is done.

        Args:
            x: contiguous.
            to: a rank of the group.
            tag: a number that the receiver must name too, to tell messages
                apart that are under way at the same time.
        """
        self._check(to)
        self.sent += x.numel() * x.element_size()
        self.messages += 1
        work = dist.isend(x, group=self.group, group_dst=to, tag=tag)
        assert work is not None
        return work

    def start_receive(
        self, into: Tensor, source: int, tag: int = 0
    ) -> dist.Work:
        """Begin to receive; ``into`` has its values when the work is done."""
        self._check(source)
        work = dist.irecv(into, group=self.group, group_src=source, tag=tag)
        assert work is not None
        return work

    def _check(self, rank: int) -> None:
        if not 0 <= rank < self.size:
            raise ValueError(
                f"there is no rank {rank} in a group of {self.size}; give 0 "
                f"to {self.size - 1}"
            )


def tree_broadcast(x: Shaped[Tensor, "..."], wire: Wire, root: int) -> None:
    """Copy the root's tensor to all ranks, in place, in log2 W rounds.

    In each round every rank that has the tensor sends it to one that has
    not, so that the number of those that have it doubles.

    Args:
        x: contiguous, of the same shape on each rank.
        wire: of this rank.
        root: the rank whose values all get.

    Raises:
        ValueError: there is no such rank, or x isn't contiguous.
    """
    _check(x, wire, root)
    place = (wire.rank - root) % wire.size  # the root's place is 0
    for have in _powers(wire.size):
        partner = (place + have) if place < have else (place - have)
        if place < have and partner < wire.size:
            wire.send(x, (partner + root) % wire.size)
        elif have <= place < 2 * have:
            wire.receive(x, (partner + root) % wire.size)


def tree_reduce(x: Shaped[Tensor, "..."], wire: Wire, root: int) -> None:
    """Sum the ranks' tensors at the root, in log2 W rounds.

    The broadcast run backwards: who received then sends now. On the other
    ranks x is left with a part of the sum, of no use to anyone.

    Args:
        x: contiguous, of the same shape on each rank; changed in place.
        wire: of this rank.
        root: the rank that gets the sum.

    Raises:
        ValueError: there is no such rank, or x isn't contiguous.
    """
    _check(x, wire, root)
    place = (wire.rank - root) % wire.size
    other = torch.empty_like(x)
    for have in reversed(_powers(wire.size)):
        partner = (place + have) if place < have else (place - have)
        if have <= place < 2 * have:
            wire.send(x, (partner + root) % wire.size)
        elif place < have and partner < wire.size:
            wire.receive(other, (partner + root) % wire.size)
            x.add_(other)


def tree_all_reduce(x: Shaped[Tensor, "..."], wire: Wire) -> None:
    """Give each rank the sum, in place: reduce to rank 0, then broadcast.

    Args:
        x: contiguous, of the same shape on each rank.
        wire: of this rank.

    Raises:
        ValueError: x isn't contiguous.
    """
    tree_reduce(x, wire, 0)
    tree_broadcast(x, wire, 0)


def ring_reduce_scatter(chunks: list[Tensor], wire: Wire) -> None:
    """Sum chunk r of all ranks at rank r, in place, around a ring.

    A partial sum travels to the right once around, and each rank on its way
    adds its own share. W partial sums travel at once, each one rank behind
    the other.

    Args:
        chunks: W contiguous tensors, chunk i of the same shape on each rank;
            the others than this rank's are left with partial sums.
        wire: of this rank.

    Raises:
        ValueError: the number of chunks isn't W.
    """
    _check_chunks(chunks, wire)
    rank, size = wire.rank, wire.size
    other = torch.empty_like(max(chunks, key=Tensor.numel)).flatten()
    for step in range(size - 1):
        going = chunks[(rank - step - 1) % size]
        coming = chunks[(rank - step - 2) % size]
        into = other[: coming.numel()].view(coming.shape)
        wire.exchange(going, (rank + 1) % size, into, (rank - 1) % size)
        coming.add_(into)


def ring_all_gather(chunks: list[Tensor], wire: Wire) -> None:
    """Copy chunk r of rank r to all ranks, in place, around a ring.

    Args:
        chunks: W contiguous tensors, chunk i of the same shape on each rank;
            only this rank's needs a value.
        wire: of this rank.

    Raises:
        ValueError: the number of chunks isn't W.
    """
    _check_chunks(chunks, wire)
    rank, size = wire.rank, wire.size
    for step in range(size - 1):
        going = chunks[(rank - step) % size]
        into = chunks[(rank - step - 1) % size]
        wire.exchange(going, (rank + 1) % size, into, (rank - 1) % size)


def ring_all_reduce(x: Shaped[Tensor, "..."], wire: Wire) -> None:
    """Give each rank the sum, in place, with the least traffic possible.

    Each rank sends 2(W - 1)/W of the tensor: a reduce-scatter, then an
    all-gather. All ranks end with the same bits, for each chunk was summed
    in one place.

    Args:
        x: contiguous, of the same shape on each rank.
        wire: of this rank.

    Raises:
        ValueError: x isn't contiguous.

    Source: Patarasuk & Yuan 2009, "Bandwidth optimal all-reduce algorithms
    for clusters of workstations".
    """
    chunks = split_for(x, wire)
    ring_reduce_scatter(chunks, wire)
    ring_all_gather(chunks, wire)


def split_for(x: Shaped[Tensor, "..."], wire: Wire) -> list[Tensor]:
    """View a tensor as W flat chunks, the first ones longer by one number.

    Raises:
        ValueError: x isn't contiguous.
    """
    _check(x, wire, 0)
    return [*x.view(-1).tensor_split(wire.size)]


def all_to_all(sent: list[Tensor], received: list[Tensor], wire: Wire) -> None:
    """Give each rank what every other has for it, in W - 1 rounds.

    In round s a rank sends to the one s places to its right and hears from
    the one s places to its left, so that no rank is spoken to by two.

    Args:
        sent: W contiguous tensors, number i for rank i.
        received: W contiguous tensors, written in place; number i comes from
            rank i and has the shape that it has there.
        wire: of this rank.

    Raises:
        ValueError: the number of tensors isn't W.
    """
    for chunks in (sent, received):
        _check_chunks(chunks, wire)
    rank, size = wire.rank, wire.size
    received[rank].copy_(sent[rank])
    for step in range(1, size):
        to, source = (rank + step) % size, (rank - step) % size
        wire.exchange(sent[to], to, received[source], source)


def _powers(size: int) -> list[int]:
    """The powers of two below a number of ranks, which a tree counts by."""
    return [1 << i for i in range((size - 1).bit_length())]


def _check(x: Tensor, wire: Wire, root: int) -> None:
    if not 0 <= root < wire.size:
        raise ValueError(
            f"there is no rank {root} in a group of {wire.size}; give 0 to "
            f"{wire.size - 1}"
        )
    if not x.is_contiguous():
        raise ValueError(
            f"a tensor of shape {tuple(x.shape)} and strides {x.stride()} is "
            f"not contiguous, and would be changed as a copy; give "
            f"x.contiguous() and keep it"
        )


def _check_chunks(chunks: list[Tensor], wire: Wire) -> None:
    if len(chunks) != wire.size:
        raise ValueError(
            f"{len(chunks)} chunks for {wire.size} ranks; give one for each"
        )
    for chunk in chunks:
        _check(chunk, wire, 0)
