"""How many bytes of tensors live at once."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, finalize

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count the bytes of tensors that are made inside, and the operations.

    ``peak`` is the largest number of bytes that lived at once, ``live``
    the number that lives now, and ``operations`` says how often each
    operation of PyTorch ran. A tensor that an operation makes and drops
    inside itself is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self.operations: Counter[str] = Counter()
        self._known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation and note what it made."""
        self._skip((args, kwargs))
        result = func(*args, **(kwargs or {}))
        self.operations[func.overloadpacket.__name__] += 1
        for tensor in _tensors(result):
            self._note(tensor.untyped_storage())
        return result

    def _skip(self, arguments: Any) -> None:
        # What came from outside, and views of it, was not made here.
        for tensor in _tensors(arguments):
            self._known.setdefault(tensor.untyped_storage(), True)

    def _note(self, storage: Any) -> None:
        if storage in self._known:
            return
        self._known[storage] = True
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        finalize(storage, self._drop, storage.nbytes())

    def _drop(self, n_bytes: int) -> None:
        self.live -= n_bytes


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def peak_bytes(run: Callable[[], object]) -> int:
    """Return the most bytes of tensors that ``run`` holds at once.

    Tensors that existed before the call do not count; those that it keeps
    for a backward pass do.

    Args:
        run: called once, without arguments.
    """
    with LiveMemory() as memory:
        run()
    return memory.peak
