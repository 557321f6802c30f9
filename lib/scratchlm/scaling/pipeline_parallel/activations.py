"""The memory that a step's activations take while it runs."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


class KeptActivations:
    """Watch what autograd keeps for backward passes.

    ::

        with KeptActivations([*stage.parameters(), tokens]) as kept:
            y = stage(x)
            kept.n_bytes()  # what the backward of y needs

    Memory that several tensors share counts once, and for as long as anyone
    holds it.

    Args:
        given: parameters and inputs, which are there anyway and do not
            count.
    """

    def __init__(self, given: Iterable[Tensor]):
        self._given = {tensor.untyped_storage().data_ptr() for tensor in given}
        self._seen: dict[StorageWeakRef, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(
            self._note, _as_it_is
        )

    def __enter__(self) -> "KeptActivations":
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    def n_bytes(self) -> int:
        """Return the bytes that are still held."""
        for storage in [*self._seen]:
            if storage.expired():  # type: ignore[no-untyped-call]
                del self._seen[storage]
        return sum(self._seen.values())

    def _note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._given:
            held = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
            self._seen[held] = storage.nbytes()
        return tensor


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor
