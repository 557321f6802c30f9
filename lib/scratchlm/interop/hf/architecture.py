"""Which published architecture a model has."""

from dataclasses import fields
from functools import partial
from typing import Any

from torch import nn

from scratchlm.interop.files import Problems, shortened
from scratchlm.interop.hf.config import Parts
from scratchlm.interop.hf.families import FAMILIES, Family
from scratchlm.interop.settings import (
    Reader,
    Settings,
    spelled,
)
from scratchlm.model.published.kernel_parts import with_definitions
from scratchlm.model.transformer.head import LinearHead
from scratchlm.model.transformer.transformer import TransformerConfig

_PLAIN_HEAD = partial(nn.Linear, bias=False)  # has the logits of LinearHead
_LAYERED = ("attention", "core", "feedforward")


def find_family(settings: Settings) -> Family:
    """Return the family that a ``config.json`` asks for.

    Args:
        settings: all that the file says.

    Raises:
        ValueError: it is not in the table.
    """
    named, kind = settings.get("architectures"), settings.get("model_type")
    for family in FAMILIES:
        if [family.architecture] == named:
            return family
        if not named and family.model_type == kind:
            return family
    known = [family.architecture for family in FAMILIES]
    raise ValueError(
        f"the architecture is {shortened(str(named or kind), 40)}; known here "
        f"are {', '.join(known)}"
    )


def read_config(
    family: Family, settings: Settings, problems: Problems
) -> TransformerConfig | None:
    """Return the configuration that published settings describe.

    Args:
        family: says how they are to be read.
        settings: all that ``config.json`` says.
        problems: takes what is missing, and what this package does not do.

    Returns:
        None if there were problems.
    """
    found = Problems()
    reader = Reader(settings, found)
    parts: Parts = {}
    for aspect in family.aspects:
        parts |= aspect.read(reader)
    config = None
    if not found.found:
        with found:
            config = TransformerConfig(**parts)
    for problem in found.found:
        problems.add(problem)
    return config


def describe(
    config: TransformerConfig, architecture: str | None = None
) -> tuple[Family, dict[str, Any]]:
    """Return how a model is published: its family, and its settings.

    Each family writes the settings that it would, and reads them back; the
    first that gets the same parts is the one.

    Args:
        config: of the model.
        architecture: the only one to try, if given.

    Raises:
        ValueError: no architecture has these parts, or this one has not;
            the message says in which the nearest differs.
    """
    tried: list[tuple[int, str]] = []
    plain = with_definitions(config)
    for family in FAMILIES:
        if architecture not in (None, family.architecture):
            continue
        settings: dict[str, Any] = {
            "architectures": [family.architecture],
            "model_type": family.model_type,
        }
        for aspect in family.aspects:
            settings |= aspect.write(plain)
        problems = Problems()
        again = read_config(family, settings, problems)
        if again is None:  # it lacks a part that the settings are about
            told = f"{family.architecture}: {problems.found[0]}"
            tried.append((len(fields(config)), told))
            continue
        unlike = differences(plain, again)
        if not unlike:
            return family, settings
        tried.append(
            (len(unlike), f"{family.architecture} in {', '.join(unlike)}")
        )
    nearest = f"; the nearest differs: {min(tried)[1]}" if tried else ""
    raise ValueError(
        f"this model is not described by {architecture or 'any architecture'}"
        f" that is published{nearest}. Replace the part, or keep the model in "
        "a file of your own"
    )


def differences(one: TransformerConfig, other: TransformerConfig) -> list[str]:
    """Return the names of fields in which two models differ.

    How weights are drawn is no difference: they are in the file. Neither is
    a kernel in place of its definition: it gives the same numbers.
    """
    one, other = with_definitions(one), with_definitions(other)
    names = [f.name for f in fields(one) if f.name not in ("init", "d_rotary")]
    differing = [n for n in names if _field(one, n) != _field(other, n)]
    turned = [c.d_rotary or c.d_head for c in (one, other)]
    return differing + ["d_rotary"] * (turned[0] != turned[1])


def _field(config: TransformerConfig, name: str) -> Any:
    if name not in _LAYERED:
        part = spelled(getattr(config, name))
        return spelled(LinearHead) if part == spelled(_PLAIN_HEAD) else part
    layers = [spelled(config.part(name, i)) for i in range(config.n_layers)]
    for _, settings in layers:
        if settings.get("scale") == spelled(None):  # a core's own default
            settings["scale"] = spelled(config.d_head**-0.5)
    return layers
