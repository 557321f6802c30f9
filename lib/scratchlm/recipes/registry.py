"""Recipes by name."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_type_hints

from scratchlm.recipes.gpt2 import gpt2_124m
from scratchlm.recipes.python_source import python_source_model
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.shakespeare import shakespeare_char
from scratchlm.recipes.tinystories import tinystories_30m
from scratchlm.recipes.tinyworld import tinyworld_base, tinyworld_tiny

RECIPES: Mapping[str, Callable[..., Recipe]] = MappingProxyType(
    {
        "tinyworld-base": tinyworld_base,
        "tinyworld-tiny": tinyworld_tiny,
        "shakespeare-char": shakespeare_char,
        "python-source": python_source_model,
        "tinystories-30m": tinystories_30m,
        "gpt2-124m": gpt2_124m,
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
        ValueError: there is no such recipe, it has no such setting, or a
            setting is of another type or out of range.
    """
    function = find(name)
    known = inspect.signature(function).parameters
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise ValueError(
            f"{name} has no setting {', '.join(unknown)}; it has "
            f"{', '.join(known)}"
        )
    hints, given = get_type_hints(function), dict(settings)
    for setting, value in settings.items():
        wanted = hints[setting]
        fitting = float | int if wanted is float else wanted
        if not isinstance(value, fitting):
            raise ValueError(
                f"{setting} of {name} is {value!r}; give "
                f"{getattr(wanted, '__name__', wanted)}"
            )
        if wanted is float:
            given[setting] = float(value)
    return function(**given)
