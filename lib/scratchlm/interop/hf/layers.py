"""What published models do in one layer and not in the next.

Windows of attention, and what Gemma 2 does with its scores.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from scratchlm.interop.files import shortened
from scratchlm.interop.hf.config import Aspect, Parts, fixed
from scratchlm.interop.settings import Reader, Settings, settings_of
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import CAUSAL, Window
from scratchlm.model.embeddings.embedding import TokenEmbedding
from scratchlm.model.transformer.head import SoftcappedHead
from scratchlm.model.transformer.transformer import Part, TransformerConfig

_FULL, _SLIDING = "full_attention", "sliding_attention"
DOT_PRODUCT = fixed(core=DotProduct)


def window_everywhere(
    *, missing: int | None = None, switched: bool = False
) -> Aspect:
    """Return one window for all layers, or none.

    Args:
        missing: the family's default.
        switched: whether ``use_sliding_window`` has to say so too.
    """

    def read(reader: Reader) -> Parts:
        size = _window(reader, missing, switched)
        kind = _FULL if size is None else _SLIDING
        return {"core": _masked(DotProduct, kind, size)}

    def write(config: TransformerConfig) -> Settings:
        size = _window_of(config)
        used = {"use_sliding_window": size is not None} if switched else {}
        return {"sliding_window": size} | used

    return Aspect(read, write)


def windows_by_layer(
    kinds: Callable[[Reader], list[str]],
    *,
    missing: int,
    switched: bool,
    core: Aspect = DOT_PRODUCT,
) -> Aspect:
    """Return a window for some layers.

    Args:
        kinds: which layers have one, if ``layer_types`` does not say.
        missing: the family's default of the window's size.
        switched: whether ``use_sliding_window`` has to be true.
        core: what attention does apart from the mask; gives a core.
    """

    def read(reader: Reader) -> Parts:
        size = _window(reader, missing, switched)
        given = reader.settings.get("layer_types")
        layers = _checked(
            reader,
            kinds(reader) if given is None else given,
            _FULL,
            *([_SLIDING] if size else []),
        )
        made = core.read(reader)["core"]
        return {"core": tuple(_masked(made, k, size) for k in layers)}

    def write(config: TransformerConfig) -> Settings:
        size = _window_of(config)
        used = {"use_sliding_window": size is not None} if switched else {}
        return {
            **core.write(config),
            **used,
            "sliding_window": size,
            "layer_types": [
                _FULL if _size_at(config, i) is None else _SLIDING
                for i in range(config.n_layers)
            ],
        }

    return Aspect(read, write)


def _checked(reader: Reader, layers: Any, *allowed: str) -> list[str]:
    n_layers = reader.layers()
    if (
        isinstance(layers, list)
        and len(layers) == n_layers
        and all(kind in allowed for kind in layers)
    ):
        return layers
    reader.problems.add(
        f"layer_types is {shortened(str(layers), 80)}; it must give each of "
        f"{n_layers} layers one of {', '.join(allowed)}"
    )
    return [_FULL]


def from_layer_on(reader: Reader) -> list[str]:
    """Return Qwen's rule: a window from ``max_window_layers`` on."""
    n_layers = reader.layers()
    used = reader.flag("use_sliding_window", False)
    first = reader.settings.get("max_window_layers", 28)
    if type(first) is not int:
        reader.problems.add(f"max_window_layers is {first!r}, no count")
        first = n_layers
    slides = [used and i >= first for i in range(n_layers)]
    return [_SLIDING if each else _FULL for each in slides]


def in_turn(reader: Reader) -> list[str]:
    """Return Gemma's rule: every other layer, from the first."""
    n_layers = reader.layers()
    return [_FULL if i % 2 else _SLIDING for i in range(n_layers)]


def _read_bounded(reader: Reader) -> Parts:
    cap = reader.number_or_none("attn_logit_softcapping", 50.0)
    scale = reader.number("query_pre_attn_scalar", 256.0) ** -0.5
    if cap is None:
        return {"core": partial(DotProduct, scale=scale)}
    return {"core": partial(Softcapped, cap=cap, scale=scale)}


def _write_bounded(config: TransformerConfig) -> Settings:
    given = settings_of(config.part("core", 0))
    scale = given.get("scale") or config.d_head**-0.5
    return {
        "attn_logit_softcapping": given.get("cap"),
        "query_pre_attn_scalar": round(scale**-2),
    }


# Gemma 2's scores, with a bound and a scale of their own.
BOUNDED = Aspect(_read_bounded, _write_bounded)


def _read_embedding(reader: Reader) -> Parts:
    scale = reader.size("hidden_size") ** 0.5
    return {"embedding": partial(TokenEmbedding, scale=scale)}


# Gemma's token vectors are drawn small, since the head uses them too.
SCALED_EMBEDDING = Aspect(_read_embedding, lambda config: {})


def _read_head(reader: Reader) -> Parts:
    cap = reader.number_or_none("final_logit_softcapping", 30.0)
    if cap is None:
        return {}
    return {"head": partial(SoftcappedHead, cap=cap)}


BOUNDED_HEAD = Aspect(
    _read_head,
    lambda config: {
        "final_logit_softcapping": settings_of(config.head).get("cap")
    },
)


def _window(reader: Reader, missing: int | None, switched: bool) -> int | None:
    if switched and not reader.flag("use_sliding_window", False):
        return None
    return reader.size_or_none("sliding_window", missing)


def _masked(core: Part, kind: str, size: int | None) -> Part:
    if kind == _FULL or size is None:
        return partial(core, mask=CAUSAL)
    return partial(core, mask=Window(size))


def _size_at(config: TransformerConfig, layer: int) -> int | None:
    mask: Any = settings_of(config.part("core", layer)).get("mask")
    return mask.size if isinstance(mask, Window) else None


def _window_of(config: TransformerConfig) -> int | None:
    """The size of the first window; a second one would differ when read."""
    found = (_size_at(config, i) for i in range(config.n_layers))
    return next((size for size in found if size is not None), None)
