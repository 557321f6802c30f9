"""Settings of published models to parts of ours, and back.

Each :class:`Aspect` translates a few settings both ways. A family is a
tuple of aspects (see :mod:`scratchlm.interop.hf.families`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from scratchlm.interop.settings import Reader, Settings, settings_of
from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.block.norm import LayerNorm, RMSNorm
from scratchlm.model.transformer.transformer import TransformerConfig

Parts = dict[str, Any]


class Aspect(NamedTuple):
    """Some settings, in both directions.

    Args:
        read: takes published settings, returns fields of a
            ``TransformerConfig``.
        write: takes one of these, returns published settings. Given parts
            that it does not know, it may write anything: what is read back
            is compared.
    """

    read: Callable[[Reader], Parts]
    write: Callable[[TransformerConfig], Settings]


def fixed(**parts: Any) -> Aspect:
    """Return the parts that all models of a family share."""
    return Aspect(lambda reader: dict(parts), lambda config: {})


def refused(allowed: dict[str, tuple[object, ...]]) -> Aspect:
    """Refuse settings whose other values no part of ours stands for.

    Args:
        allowed: for each setting what it may be; the first is its default,
            and is written unless it is None.
    """

    def read(reader: Reader) -> Parts:
        for name, values in allowed.items():
            reader.only(name, *values)
        return {}

    told = {n: v[0] for n, v in allowed.items() if v[0] is not None}
    return Aspect(read, lambda config: told)


def sizes(
    *, d_head: int | None = None, tied: bool = False, d_ff: str
) -> Aspect:
    """Return the sizes under the names that all but GPT-2 use.

    Args:
        d_head: the family's default; ``D / N`` if None.
        tied: the family's default.
        d_ff: what it calls the width inside a feed-forward layer.
    """
    plain = {
        "vocab_size": "vocab_size",
        "d_model": "hidden_size",
        "n_heads": "num_attention_heads",
        "d_ff": d_ff,
        "max_tokens": "max_position_embeddings",
    }

    def read(reader: Reader) -> Parts:
        parts: Parts = {o: reader.size(name) for o, name in plain.items()}
        heads = parts["n_heads"]
        width = d_head or max(parts["d_model"] // heads, 1)
        return parts | {
            "n_layers": reader.layers(),
            "n_kv_heads": reader.size("num_key_value_heads", heads),
            "d_head": reader.size("head_dim", width),
            "tied": reader.flag("tie_word_embeddings", tied),
        }

    def write(config: TransformerConfig) -> Settings:
        settings = {name: getattr(config, o) for o, name in plain.items()}
        return settings | {
            "num_hidden_layers": config.n_layers,
            "num_key_value_heads": config.n_kv_heads,
            "head_dim": config.d_head,
            "tie_word_embeddings": config.tied,
        }

    return Aspect(read, write)


def _read_even_width(reader: Reader) -> Parts:
    width = reader.size("hidden_size")
    n_heads = reader.size("num_attention_heads")
    if width % n_heads:
        reader.problems.add(
            f"hidden_size is {width}, which {n_heads} heads cannot share "
            "evenly; transformers refuses it in this family"
        )
    return {}


# Nothing computes with D / N where a head has a width of its own, and yet
# the settings of two families are checked for it.
EVEN_WIDTH = Aspect(_read_even_width, lambda config: {})


def _read_gpt2_sizes(reader: Reader) -> Parts:
    d_model, n_heads = reader.size("n_embd"), reader.size("n_head")
    if d_model % n_heads:
        reader.problems.add(
            f"n_embd is {d_model}, which {n_heads} heads cannot share evenly"
        )
    return {
        "vocab_size": reader.size("vocab_size"),
        "d_model": d_model,
        "n_layers": reader.layers("n_layer"),
        "n_heads": n_heads,
        "n_kv_heads": n_heads,
        "d_head": max(d_model // n_heads, 1),
        "d_ff": reader.size("n_inner", 4 * d_model),
        "max_tokens": reader.size("n_positions"),
        "tied": reader.flag("tie_word_embeddings", True),
        "norm": partial(
            LayerNorm, eps=reader.number("layer_norm_epsilon", 1e-5)
        ),
    }


def _write_gpt2_sizes(config: TransformerConfig) -> Settings:
    return {
        "vocab_size": config.vocab_size,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": config.d_ff,
        "n_positions": config.max_tokens,
        "tie_word_embeddings": config.tied,
        "layer_norm_epsilon": _eps(config),
    }


GPT2_SIZES = Aspect(_read_gpt2_sizes, _write_gpt2_sizes)


def _eps(config: TransformerConfig) -> Any:
    return settings_of(config.norm).get("eps")


def rms_norms(eps: float) -> Aspect:
    """Return norms that divide by the root mean square.

    Args:
        eps: the family's default.
    """

    def read(reader: Reader) -> Parts:
        given = reader.number("rms_norm_eps", eps)
        return {"norm": partial(RMSNorm, eps=given)}

    return Aspect(read, lambda config: {"rms_norm_eps": _eps(config)})


def attends(
    eps: float = 1e-6, qk_norm: Callable[..., nn.Module] | None = None
) -> Aspect:
    """Return attention whose four projections have biases, or none.

    Args:
        eps: the family's default, which all norms share.
        qk_norm: makes the norms of queries and keys; none if None.
    """

    def read(reader: Reader) -> Parts:
        biased = reader.flag("attention_bias", False)
        made = partial(Attention, bias=biased, out_bias=biased)
        if qk_norm is not None:
            given = reader.number("rms_norm_eps", eps)
            made = partial(made, qk_norm=partial(qk_norm, eps=given))
        return {"attention": made}

    def write(config: TransformerConfig) -> Settings:
        given = settings_of(config.part("attention", 0))
        return {"attention_bias": given.get("out_bias", False)}

    return Aspect(read, write)


MLP_BIAS = Aspect(
    lambda reader: {
        "feedforward": partial(SwiGLU, bias=reader.flag("mlp_bias", False))
    },
    lambda config: {
        "mlp_bias": settings_of(config.part("feedforward", 0)).get(
            "bias", False
        )
    },
)
