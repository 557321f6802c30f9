"""How published models say by what angles they turn.

There are two ways. Older files put ``rope_theta`` among the other settings
and a scaling into ``rope_scaling``; newer ones put all into
``rope_parameters``. Both are read, and the older is written, which every
version of transformers reads.
"""

from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

from scratchlm.interop.files import listed, shortened
from scratchlm.interop.hf.config import Aspect, Parts
from scratchlm.interop.settings import (
    ORIGINAL,
    PLAIN_ROPE,
    Reader,
    Settings,
    rope_table,
    settings_of,
)
from scratchlm.model.embeddings.angles import Scaling
from scratchlm.model.positions.context_extension import (
    Llama3Scaling,
    PositionInterpolation,
    YaRN,
)
from scratchlm.model.positions.rotary import Rotary
from scratchlm.model.transformer.transformer import TransformerConfig


class _Row(NamedTuple):
    """A scaling, and what others call its numbers."""

    made: type[PositionInterpolation | Llama3Scaling | YaRN]
    numbers: dict[str, str]  # theirs to ours
    defaults: dict[str, float]


_FACTOR = {"factor": "factor"}
_LLAMA3 = {"low_freq_factor": "low_factor", "high_freq_factor": "high_factor"}
_YARN = {"beta_fast": "beta_fast", "beta_slow": "beta_slow"}
_SHARPER = "attention_factor"
_SCALINGS = {
    "linear": _Row(PositionInterpolation, _FACTOR, {}),
    "llama3": _Row(Llama3Scaling, _FACTOR | _LLAMA3, {}),
    "yarn": _Row(YaRN, _FACTOR | _YARN, {"beta_fast": 32.0, "beta_slow": 1.0}),
}
# What YaRN's code also reads, and no scaling of ours.
_REFUSED = {
    "partial_rotary_factor": (1.0,),
    "mscale": (None,),
    "mscale_all_dim": (None,),
    "truncate": (True,),
}


def rope(*, theta: float = 10_000.0) -> Aspect:
    """Return RoPE, with any scaling.

    Args:
        theta: the family's default.
    """

    def read(reader: Reader) -> Parts:
        kind, inner = rope_table(reader)
        base = inner.number("rope_theta", reader.number("rope_theta", theta))
        for name, allowed in _REFUSED.items():
            inner.only(name, *allowed)
        reader.only("partial_rotary_factor", 1.0)
        scaling = None
        if kind in _SCALINGS:
            longest = reader.size("max_position_embeddings")
            original = reader.size(ORIGINAL, inner.size(ORIGINAL, longest))
            scaling = _scaling(_SCALINGS[kind], inner, original)
        elif kind != "default":
            reader.problems.add(
                f"RoPE's type is {shortened(kind, 80)}; the types known here "
                f"are default, {', '.join(_SCALINGS)}"
            )
        return {"rotary": partial(Rotary, theta=base, scaling=scaling)}

    return Aspect(read, _write)


def _scaling(row: _Row, inner: Reader, original: int) -> Scaling | None:
    strange = set(inner.settings) - PLAIN_ROPE - set(row.numbers)
    if strange:
        inner.problems.add(
            f"RoPE has {listed(strange)}, which no scaling of this package "
            "does"
        )
    numbers: dict[str, Any] = {
        ours: inner.number(name, row.defaults.get(name))
        for name, ours in row.numbers.items()
    }
    known = {field.name for field in fields(row.made)}
    if "original" in known:
        numbers["original"] = original
    if _SHARPER in known:
        numbers[_SHARPER] = inner.number_or_none(_SHARPER, None)
    with inner.problems:
        return row.made(**numbers)
    return None


def _write(config: TransformerConfig) -> Settings:
    given = settings_of(config.rotary)
    settings: dict[str, Any] = {"rope_theta": given.get("theta")}
    scaling = given.get("scaling")
    for kind, row in _SCALINGS.items():
        if type(scaling) is row.made:
            names = row.numbers | {ORIGINAL: "original", _SHARPER: _SHARPER}
            values = {n: getattr(scaling, o, None) for n, o in names.items()}
            told = {n: v for n, v in values.items() if v is not None}
            settings["rope_scaling"] = {"rope_type": kind, **told}
    return settings
