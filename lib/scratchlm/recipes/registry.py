"""Recipes by name."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.shakespeare import shakespeare_char
from scratchlm.recipes.tinyworld import tinyworld_base, tinyworld_tiny

RECIPES: Mapping[str, Callable[..., Recipe]] = MappingProxyType(
    {
        "shakespeare-char": shakespeare_char,
        "tinyworld-base": tinyworld_base,
        "tinyworld-tiny": tinyworld_tiny,
    }
)

_NONE: Mapping[str, Any] = MappingProxyType({})


def find(name: str) -> Callable[..., Recipe]:
    """Return the function that makes a recipe.

    Args:
        name: as the command line has it.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in RECIPES:
        raise ValueError(
            f"there is no recipe {name!r}; there are {', '.join(RECIPES)}"
        )
    return RECIPES[name]


def make(name: str, settings: Mapping[str, Any] = _NONE) -> Recipe:
    """Return a recipe with some of its settings replaced.

    Args:
        name: as the command line has it.
        settings: by the names of the function's arguments.

    Raises:
        ValueError: there is no such recipe, or it has no such setting.
    """
    function = find(name)
    known = inspect.signature(function).parameters
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise ValueError(
            f"{name} has no setting {', '.join(unknown)}; it has "
            f"{', '.join(known)}"
        )
    return function(**settings)
