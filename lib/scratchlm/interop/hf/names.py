"""What the weights of published models are called."""

from collections.abc import Mapping

from scratchlm.interop.hf.weights import (
    FLAT,
    JOINED,
    SHIFTED,
    STACKED,
    Rule,
    plain,
)


def _layer(names: dict[str, str], prefix: str) -> dict[str, str]:
    return {
        f"blocks.{{i}}.{ours}": f"{prefix}.{{i}}.{theirs}"
        for ours, theirs in names.items()
    }


_ENDS = {
    "embedding.tokens.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
_PROJECTIONS = {
    f"attention.{ours}.{kind}": f"self_attn.{theirs}.{kind}"
    for ours, theirs in {
        "query": "q_proj",
        "key": "k_proj",
        "value": "v_proj",
        "output": "o_proj",
    }.items()
    for kind in ("weight", "bias")
}
_FEEDFORWARD = {
    f"feedforward.{name}.{kind}": f"mlp.{name}_proj.{kind}"
    for name in ("gate", "up", "down")
    for kind in ("weight", "bias")
}
_QK_NORMS = {
    f"attention.{name}.weight": f"self_attn.{name}.weight"
    for name in ("q_norm", "k_norm")
}
_PRE_NORMS = {
    "attention_norm.weight": "input_layernorm.weight",
    "feedforward_norm.weight": "post_attention_layernorm.weight",
}
_OUTPUT_NORMS = {
    "attention_norm.weight": "post_attention_layernorm.weight",
    "feedforward_norm.weight": "post_feedforward_layernorm.weight",
}
_SANDWICH_NORMS = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention_out_norm.weight": "post_attention_layernorm.weight",
    "feedforward_norm.weight": "pre_feedforward_layernorm.weight",
    "feedforward_out_norm.weight": "post_feedforward_layernorm.weight",
}
_LAYERS = "model.layers"
_ATTENTION = (
    *plain(_ENDS),
    *plain(_layer(_PROJECTIONS | _PRE_NORMS, _LAYERS)),
)
LLAMA = (*_ATTENTION, *plain(_layer(_FEEDFORWARD, _LAYERS)))
QWEN3 = (*LLAMA, *plain(_layer(_QK_NORMS, _LAYERS)))
OLMO2 = (
    *plain(_ENDS),
    *plain(_layer(_PROJECTIONS | _OUTPUT_NORMS | _FEEDFORWARD, _LAYERS)),
    *plain(_layer(_QK_NORMS, _LAYERS), FLAT),
)
GEMMA2 = (
    *plain({o: t for o, t in _ENDS.items() if o != "norm.weight"}),
    *plain({"norm.weight": "model.norm.weight"}, SHIFTED),
    *plain(_layer(_PROJECTIONS | _FEEDFORWARD, _LAYERS)),
    *plain(_layer(_SANDWICH_NORMS, _LAYERS), SHIFTED),
)


def _gpt2_rules() -> list[Rule]:
    rules = plain(
        {
            "embedding.tokens.weight": "transformer.wte.weight",
            "embedding.positions.weight": "transformer.wpe.weight",
            "head.weight": "lm_head.weight",
        }
    )
    qkv = tuple(
        f"blocks.{{i}}.attention.{n}" for n in ("query", "key", "value")
    )
    fused = "transformer.h.{i}.attn.c_attn"
    joined = {
        "attention.output": "attn.c_proj",
        "feedforward.up": "mlp.c_fc",
        "feedforward.down": "mlp.c_proj",
    }
    norms = {"attention_norm": "ln_1", "feedforward_norm": "ln_2"}
    for kind in ("weight", "bias"):
        names = tuple(f"{name}.{kind}" for name in qkv)
        rules.append(Rule(names, (f"{fused}.{kind}",), JOINED))
        for pairs, how in ((joined, {"change": JOINED}), (norms, {})):
            named = {f"{o}.{kind}": f"{t}.{kind}" for o, t in pairs.items()}
            rules += plain(_layer(named, "transformer.h"), **how)
        rules += plain({f"norm.{kind}": f"transformer.ln_f.{kind}"})
    return rules


GPT2 = _gpt2_rules()


def _experts(router: str, expert: str, parts: Mapping[str, str]) -> list[Rule]:
    """One stack of matrices in ours, a matrix for each expert in theirs."""
    scores = {"feedforward.router.weight": router}
    stacks = {
        f"feedforward.{ours}": f"{expert}.{theirs}.weight"
        for ours, theirs in parts.items()
    }
    return [
        *plain(_layer(scores, _LAYERS)),
        *plain(_layer(stacks, _LAYERS), STACKED),
    ]


MIXTRAL = (
    *_ATTENTION,
    *_experts(
        "block_sparse_moe.gate.weight",
        "block_sparse_moe.experts.{e}",
        {"gate": "w1", "up": "w3", "down": "w2"},
    ),
)
QWEN3_MOE = (
    *_ATTENTION,
    *plain(_layer(_QK_NORMS, _LAYERS)),
    *_experts(
        "mlp.gate.weight",
        "mlp.experts.{e}",
        {name: f"{name}_proj" for name in ("gate", "up", "down")},
    ),
)
