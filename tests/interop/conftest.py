"""Small checkpoints with random weights, as transformers publishes them."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from scratchlm.interop import hf

_SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,  # so that logits differ by more than rounding
}
_NO_IDS = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
_YARN = {
    "rope_type": "yarn",
    "rope_theta": 500.0,
    "factor": 4.0,
    "original_max_position_embeddings": 16,
}
_LINEAR = {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}
_QWEN_WINDOWS = {
    "use_sliding_window": True,
    "max_window_layers": 1,
    "sliding_window": 5,
}
# The class of transformers' settings, and those that are not as above.
CHECKPOINTS = {
    "gpt2": (
        "GPT2Config",
        {
            "vocab_size": 96,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 4,
            "n_positions": 64,
            "initializer_range": 0.2,
        },
    ),
    "llama2": ("LlamaConfig", {"num_key_value_heads": 4}),
    "llama3": ("LlamaConfig", {"rope_parameters": _LLAMA3}),
    "llama-linear": ("LlamaConfig", {"rope_parameters": _LINEAR}),
    "llama-yarn": ("LlamaConfig", {"rope_parameters": _YARN}),
    "llama-tied": ("LlamaConfig", {"tie_word_embeddings": True}),
    "llama-biased": (
        "LlamaConfig",
        {"attention_bias": True, "mlp_bias": True},
    ),
    "mistral": ("MistralConfig", {"sliding_window": 5}),
    "qwen2": ("Qwen2Config", {"tie_word_embeddings": True}),
    "qwen2-windows": ("Qwen2Config", _QWEN_WINDOWS),
    "qwen3": ("Qwen3Config", {"head_dim": 16}),
    "olmo2": ("Olmo2Config", {}),
    "gemma2": (
        "Gemma2Config",
        {"head_dim": 16, "sliding_window": 5, "query_pre_attn_scalar": 24},
    ),
    "mixtral": ("MixtralConfig", {"num_local_experts": 4}),
    "qwen3-moe": (
        "Qwen3MoeConfig",
        {
            "head_dim": 16,
            "moe_intermediate_size": 24,
            "num_experts": 4,
            "num_experts_per_tok": 2,
        },
    ),
}


@pytest.fixture(scope="session")
def transformers():
    """The library, imported when the first test asks for it: that takes two
    seconds, in each worker that only collects."""
    import transformers

    transformers.logging.disable_progress_bar()
    return transformers


@pytest.fixture(scope="session")
def publish(tmp_path_factory, transformers):
    """A function that makes a folder, once for each name."""
    made = {}

    def make(name):
        if name not in made:
            kind, settings = CHECKPOINTS[name]
            base = {} if kind == "GPT2Config" else _SIZES
            config = getattr(transformers, kind)(
                **{**base, **_NO_IDS, **settings}
            )
            torch.manual_seed(0)
            model = transformers.AutoModelForCausalLM.from_config(config)
            with torch.no_grad():  # a norm of ones would hide its absence
                for weight in model.parameters():
                    if weight.ndim == 1:
                        weight.add_(0.3 * torch.randn_like(weight))
            made[name] = tmp_path_factory.mktemp(name)
            model.save_pretrained(made[name])
        return made[name]

    return make


@pytest.fixture(params=CHECKPOINTS)
def folder(request, publish):
    """A checkpoint of each kind in turn."""
    return publish(request.param)


@pytest.fixture(scope="session")
def tokens():
    """Two rows, longer than any window above."""
    return torch.randint(
        96, (2, 24), generator=torch.Generator().manual_seed(1)
    )


@pytest.fixture(scope="session")
def theirs(transformers):
    """A function from a folder to the model as transformers loads it, with
    nothing to say about the file."""

    def load(folder):
        model, told = transformers.AutoModelForCausalLM.from_pretrained(
            folder, output_loading_info=True
        )
        assert not any(told.values()), told
        return model.eval()

    return load


@pytest.fixture
def edited(publish, tmp_path):
    """A function that copies a checkpoint and changes its settings."""

    def edit(name, **changes):
        source = publish(name)
        settings = json.loads((source / "config.json").read_text())
        kept = {k: v for k, v in (settings | changes).items() if v != "DROP"}
        for path in source.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "config.json").write_text(json.dumps(kept))
        return tmp_path

    return edit


@pytest.fixture
def rewritten(edited):
    """A function that copies a checkpoint and changes its tensors."""

    def rewrite(name, change, **settings):
        folder = edited(name, **settings)
        path = folder / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, metadata={"format": "pt"})
        return folder

    return rewrite


@pytest.fixture
def small(publish):
    """A Llama-style model, loaded."""
    return hf.load(publish("llama3")).model
