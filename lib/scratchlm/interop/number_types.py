"""Of which type a model's numbers are, where its file has several.

PyTorch is not needed.
"""

from collections.abc import Mapping
from typing import Any

from scratchlm.interop.files import UNSCALED, Problems, listed

FLOATS = ("float64", "float32", "bfloat16", "float16")


def one_type(
    held: Mapping[str, str],
    settings: Mapping[str, Any],
    asked: str | None,
    problems: Problems,
) -> str | None:
    """Return the one type that all weights get.

    Parts of a model that meet in one product must agree. What is asked for
    decides; then the file, if it has one type; then its settings.

    Args:
        held: the type of each tensor, by name.
        settings: as ``config.json`` holds them.
        asked: by the caller, if at all.
        problems: takes types that no weight can have, and several of which
            nobody says which is meant.

    Returns:
        One of ``FLOATS``; None if there was a problem.
    """
    kinds: dict[str, set[str]] = {}
    for name, kind in held.items():
        kinds.setdefault(kind, set()).add(name)
    strange = set(kinds) - set(FLOATS)
    for kind in sorted(strange):
        problems.add(f"{listed(kinds[kind])} hold {kind}: {_remedy(kind)}")
    if asked is not None and asked not in FLOATS:
        problems.add(f"dtype is {asked}; use {' or '.join(FLOATS)}")
        return None
    if strange or not kinds:
        return None
    if asked is not None:
        return asked
    if len(kinds) == 1:
        return next(iter(kinds))
    said = settings.get("dtype") or settings.get("torch_dtype")
    if said in FLOATS:
        return str(said)
    told = "; ".join(f"{k}: {listed(kinds[k], 1)}" for k in sorted(kinds))
    problems.add(
        f"weights of several types ({told}), and dtype in config.json is "
        f"{said!r}: set it, or load with the dtype that is meant"
    )
    return None


def _remedy(kind: str) -> str:
    if kind.startswith(("float8", "float4")):
        return UNSCALED
    return (
        "weights must be floating-point numbers of 16 bits or more; take "
        "the model's files from before it was quantized"
    )


def tell_overflow(names: set[str], kind: str, problems: Problems) -> None:
    """Refuse numbers that became infinite in their new type.

    Args:
        names: of the tensors that had some.
        kind: the new type.
        problems: takes it.
    """
    if names:
        problems.add(
            f"{listed(names)} have numbers too large for {kind}, which "
            "become infinite; load with the dtype bfloat16 or float32"
        )
