"""Ranks that hold the same model, or learn before the first step that not."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from itertools import combinations

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed import ProcessGroup

_SHOWN = 5  # differences in a message


def fingerprint(model: nn.Module) -> dict[str, str]:
    """Return what each tensor of a model is, in a few letters.

    Args:
        model: its parameters and its buffers count, those too that are not
            saved.

    Returns:
        By name: type, shape and a hash of the values.
    """
    return {
        name: f"{_shape(tensor)} {sha256(_bytes(tensor)).hexdigest()[:16]}"
        for name, tensor in _tensors(model)
    }


def require_same(facts: Mapping[str, str], group: ProcessGroup) -> None:
    """Raise on every rank where some ranks differ, and say in what.

    A few bytes are compared first, so that ranks which agree pay next to
    nothing. Ranks that differ would otherwise wait for each other for ever,
    or go on and train different models.

    Args:
        facts: by name; of a model its ``fingerprint(model)``, of the data the
            ``fingerprint`` of its batches, of a run its settings.
        group: whose ranks are compared.

    Raises:
        ValueError: a name is missing somewhere, or has another fact.
    """
    own = json.dumps(sorted(facts.items())).encode()
    if len(set(gather_bytes(sha256(own).digest(), group))) == 1:
        return
    every = [dict(json.loads(told)) for told in gather_bytes(own, group)]
    found = [
        f"{name} is {fact or 'missing'} on rank {rank} and "
        f"{other or 'missing'} on rank 0"
        for rank, facts_there in enumerate(every)
        for name in {**every[0], **facts_there}
        if (fact := facts_there.get(name)) != (other := every[0].get(name))
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise ValueError(
        f"the ranks differ: {'; '.join(found[:_SHOWN])}{more}. Start all of "
        f"them from one seed and one set of files, or send the model of one "
        f"rank to all with broadcast_model"
    )


def require_distinct(fact: bytes, group: ProcessGroup) -> None:
    """Raise on every rank where two ranks have the same.

    Args:
        fact: the rows that this rank trains on, as bytes.
        group: whose ranks are compared.

    Raises:
        ValueError: two ranks have the same; their batch has fewer rows than
            it seems to have.
    """
    every = gather_bytes(sha256(fact).digest(), group)
    for a, b in combinations(range(len(every)), 2):
        if every[a] == every[b]:
            raise ValueError(
                f"ranks {a} and {b} have the same rows; give each rank a "
                f"part of its own, as rank_rows cuts them"
            )


def broadcast_model(
    model: nn.Module, group: ProcessGroup, *, source: int = 0
) -> None:
    """Give the parameters and buffers of one rank to all.

    Args:
        model: of the same parts on all ranks; its values are overwritten.
        group: whose ranks take part.
        source: the rank of the group whose values stay.

    Raises:
        ValueError: names, types or shapes differ.
    """
    require_same({name: _shape(x) for name, x in _tensors(model)}, group)
    for _, tensor in _tensors(model):
        _broadcast(tensor, group, source)


def broadcast_buffers(
    model: nn.Module, group: ProcessGroup, *, source: int = 0
) -> None:
    """Give the buffers of one rank to all.

    Gradients of parameters are summed over ranks, and buffers are not: what
    a forward pass writes into one, such as a running mean, comes from this
    rank's rows alone. Call it after each step of a model that does so.

    Args:
        model: of the same parts on all ranks.
        group: whose ranks take part.
        source: the rank of the group whose values stay.
    """
    for buffer in model.buffers():
        _broadcast(buffer, group, source)


def _broadcast(tensor: Tensor, group: ProcessGroup, source: int) -> None:
    src = dist.get_global_rank(group, source)
    whole = tensor.detach().contiguous()
    dist.broadcast(whole, src, group=group)
    if whole.data_ptr() != tensor.data_ptr():
        tensor.detach().copy_(whole)


def _tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def _shape(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{[*tensor.shape]}"


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def gather_bytes(own: bytes, group: ProcessGroup) -> list[bytes]:
    """Return the bytes of every rank, which may differ in their number.

    Args:
        own: of this rank.
        group: whose ranks take part.
    """
    n_bytes = torch.tensor([len(own)])
    sizes = [torch.zeros_like(n_bytes) for _ in range(group.size())]
    dist.all_gather(sizes, n_bytes, group=group)
    lengths = [int(size) for size in sizes]
    padded = torch.zeros(max(1, *lengths), dtype=torch.uint8)
    padded[: len(own)] = torch.tensor([*own], dtype=torch.uint8)
    every = [torch.zeros_like(padded) for _ in lengths]
    dist.all_gather(every, padded, group=group)
    return [
        told[:length].numpy().tobytes()
        for told, length in zip(every, lengths, strict=True)
    ]


def told_by_first(group: ProcessGroup, work: Callable[[], bytes]) -> str:
    """Do something on the first rank, and tell all of them its result.

    Args:
        group: whose ranks take part.
        work: returns text in UTF-8.

    Raises:
        ValueError: on every rank, where the first one raises it or an
            OSError.
    """
    told = together(group, work if group.rank() == 0 else lambda: b"")
    return gather_bytes(told, group)[0].decode()


def together(group: ProcessGroup, work: Callable[[], bytes]) -> bytes:
    """Do something on each rank; where one fails, all raise.

    A rank that raised alone would let the others wait for it.

    Args:
        group: whose ranks take part.
        work: of this rank.

    Returns:
        What this rank's work returned.

    Raises:
        ValueError: on every rank, where one raises it or an OSError.
    """
    told, fault, error = b"", b"", None
    try:
        told = work()
    except (ValueError, OSError) as raised:
        error, fault = raised, str(raised).encode() or b"it failed"
    faults = {
        rank: each.decode()
        for rank, each in enumerate(gather_bytes(fault, group))
        if each
    }
    if faults:
        every = "; ".join(f"rank {r}: {each}" for r, each in faults.items())
        raise ValueError(every) from error
    return told
