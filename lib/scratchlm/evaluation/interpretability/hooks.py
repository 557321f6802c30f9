"""Read and replace what a model computes, at places that have a name.

A place is the name of a module of the model, as ``blocks.1.feedforward``,
and stands for what the module returns. With ``:in`` behind it, it stands
for the first thing that the module is given.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

Change = Callable[[Tensor], Tensor]
INPUT = ":in"


@contextmanager
def read(model: nn.Module, places: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Keep what passes at some places, for each forward pass anew.

    The tensors are those of the model and keep their gradients. Nothing
    that the model computes changes.

    Args:
        model: whose forward passes are watched.
        places: names, as this file explains.

    Raises:
        ValueError: the model has no such place.
    """
    kept: dict[str, Any] = {}

    def keeper(place: str) -> Change:
        def keep(value: Tensor) -> Tensor:
            kept[place] = value
            return value

        return keep

    with replace(model, {place: keeper(place) for place in places}):
        yield kept


@contextmanager
def replace(model: nn.Module, changes: Mapping[str, Change]) -> Iterator[None]:
    """Put something else in the place of what passes.

    Args:
        model: whose forward passes are changed.
        changes: for each place a function of what passes there, which
            returns what is to pass.

    Raises:
        ValueError: the model has no such place, or a change returns
            another shape.
    """
    with ExitStack() as stack:
        for place, change in changes.items():
            stack.callback(_hook(model, place, change).remove)
        yield


def module_at(model: nn.Module, place: str) -> nn.Module:
    """Return the module that a place belongs to.

    Args:
        model: that has it.
        place: its name, with or without ``:in``.

    Raises:
        ValueError: the model has no such place.
    """
    try:
        return model.get_submodule(place.removesuffix(INPUT))
    except AttributeError:
        some = ", ".join(name for name, _ in model.named_children())
        raise ValueError(
            f"there is no place {place!r}; give the name of a module, which "
            f"begins with one of {some}, and {INPUT!r} behind it for what "
            "the module is given"
        ) from None


def _hook(model: nn.Module, place: str, change: Change) -> Any:
    def checked(value: Any) -> Any:
        new = change(value)
        if new.shape != value.shape:
            raise ValueError(
                f"the change at {place!r} returned shape {tuple(new.shape)} "
                f"for {tuple(value.shape)}; return the same shape"
            )
        return new

    module = module_at(model, place)
    if place.endswith(INPUT):
        return module.register_forward_pre_hook(
            lambda _, args: (checked(args[0]), *args[1:])
        )
    return module.register_forward_hook(lambda _, args, out: checked(out))
