"""The families of published models: one row of a table each.

A row says how settings become parts, how weights are called, and nothing
else; no other module knows a family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from scratchlm.interop.hf.config import (
    EVEN_WIDTH,
    GPT2_SIZES,
    MLP_BIAS,
    Aspect,
    attends,
    fixed,
    refused,
    rms_norms,
    sizes,
)
from scratchlm.interop.hf.experts import experts
from scratchlm.interop.hf.layers import (
    BOUNDED,
    BOUNDED_HEAD,
    SCALED_EMBEDDING,
    from_layer_on,
    in_turn,
    window_everywhere,
    windows_by_layer,
)
from scratchlm.interop.hf.names import (
    GEMMA2,
    GPT2,
    LLAMA,
    MIXTRAL,
    OLMO2,
    QWEN3,
    QWEN3_MOE,
)
from scratchlm.interop.hf.rope import rope
from scratchlm.interop.hf.weights import Rule
from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.block import OutputNorm, SandwichNorm
from scratchlm.model.block.feedforward import MLP, GatedMLP, gelu_tanh
from scratchlm.model.block.norm import norm_all_heads, norm_each_head
from scratchlm.model.embeddings.embedding import LearnedPositions
from scratchlm.model.positions.rotary import NoRotation


@dataclass(frozen=True, kw_only=True)
class Family:
    """How one kind of model is published.

    Args:
        architecture: the class that ``config.json`` names.
        model_type: what it says beside that.
        aspects: its settings, to parts and back.
        rules: its weights, to ours and back.
        prefix: what names of weights begin with; files that hold a model
            without its head leave it out.
        head: the name of the head's weight, which a tied model need not
            have.
        obsolete: a pattern of names that old files have and nobody reads.
        n_kv_heads: how many transformers assumes where the settings do not
            say; as many as there are query heads if None.
    """

    architecture: str
    model_type: str
    aspects: Sequence[Aspect]
    rules: Sequence[Rule]
    prefix: str = "model."
    head: str = "lm_head.weight"
    obsolete: str = r".*\.rotary_emb\.inv_freq"
    n_kv_heads: int | None = None


_UNQUANTIZED = refused({"quantization_config": (None,)})
_SILU = refused({"hidden_act": ("silu", "swish")})
_SIZES = sizes(d_ff="intermediate_size")
_LLAMA_PARTS = (_SIZES, rope(), _SILU, _UNQUANTIZED)

FAMILIES = (
    Family(
        architecture="GPT2LMHeadModel",
        model_type="gpt2",
        aspects=(
            GPT2_SIZES,
            fixed(
                embedding=LearnedPositions,
                rotary=NoRotation,
                attention=partial(Attention, bias=True, out_bias=True),
                feedforward=MLP,
            ),
            refused(
                {
                    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
                    "scale_attn_weights": (True,),
                    "scale_attn_by_inverse_layer_idx": (False,),
                    "add_cross_attention": (False,),
                }
            ),
            _UNQUANTIZED,
        ),
        rules=GPT2,
        prefix="transformer.",
        # The causal mask, which was once saved as if it had been learned.
        obsolete=r"transformer\.h\.\d+\.attn\.(masked_)?bias",
    ),
    Family(
        architecture="LlamaForCausalLM",
        model_type="llama",
        aspects=(
            *_LLAMA_PARTS,
            EVEN_WIDTH,
            rms_norms(1e-6),
            attends(),
            MLP_BIAS,
        ),
        rules=LLAMA,
    ),
    Family(
        architecture="MistralForCausalLM",
        model_type="mistral",
        aspects=(
            *_LLAMA_PARTS,
            rms_norms(1e-6),
            window_everywhere(missing=4096),
        ),
        rules=LLAMA,
        n_kv_heads=8,
    ),
    Family(
        architecture="Qwen2ForCausalLM",
        model_type="qwen2",
        aspects=(
            *_LLAMA_PARTS,
            rms_norms(1e-6),
            fixed(attention=partial(Attention, bias=True)),
            windows_by_layer(from_layer_on, missing=4096, switched=True),
        ),
        rules=LLAMA,
        n_kv_heads=32,
    ),
    Family(
        architecture="Qwen3ForCausalLM",
        model_type="qwen3",
        aspects=(
            sizes(d_ff="intermediate_size", d_head=128),
            rope(),
            _SILU,
            _UNQUANTIZED,
            rms_norms(1e-6),
            attends(1e-6, norm_each_head),
            windows_by_layer(from_layer_on, missing=4096, switched=True),
        ),
        rules=QWEN3,
        n_kv_heads=32,
    ),
    Family(
        architecture="Olmo2ForCausalLM",
        model_type="olmo2",
        aspects=(
            *_LLAMA_PARTS,
            rms_norms(1e-5),
            attends(1e-5, norm_all_heads),
            fixed(block=OutputNorm),
        ),
        rules=OLMO2,
    ),
    Family(
        architecture="Gemma2ForCausalLM",
        model_type="gemma2",
        aspects=(
            sizes(d_ff="intermediate_size", d_head=256, tied=True),
            EVEN_WIDTH,
            rope(),
            _UNQUANTIZED,
            attends(),
            refused(
                {
                    "hidden_activation": ("gelu_pytorch_tanh",),
                    "use_bidirectional_attention": (None, False),
                }
            ),
            rms_norms(1e-6),
            SCALED_EMBEDDING,
            BOUNDED_HEAD,
            windows_by_layer(
                in_turn, missing=4096, switched=False, core=BOUNDED
            ),
            fixed(
                feedforward=partial(GatedMLP, activation=gelu_tanh),
                block=SandwichNorm,
            ),
        ),
        rules=GEMMA2,
        n_kv_heads=4,
    ),
    Family(
        architecture="MixtralForCausalLM",
        model_type="mixtral",
        aspects=(
            _SIZES,
            rope(theta=1e6),
            _SILU,
            _UNQUANTIZED,
            rms_norms(1e-5),
            window_everywhere(),
            experts("num_local_experts", normalize=True),
        ),
        rules=MIXTRAL,
        n_kv_heads=8,
    ),
    Family(
        architecture="Qwen3MoeForCausalLM",
        model_type="qwen3_moe",
        aspects=(
            sizes(d_ff="moe_intermediate_size"),
            rope(),
            _SILU,
            _UNQUANTIZED,
            refused({"decoder_sparse_step": (1,), "mlp_only_layers": ([],)}),
            rms_norms(1e-6),
            attends(1e-6, norm_each_head),
            window_everywhere(missing=4096, switched=True),
            experts("num_experts", "num_local_experts", normalize=None),
        ),
        rules=QWEN3_MOE,
        n_kv_heads=4,
    ),
)
