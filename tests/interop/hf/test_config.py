import pytest

from scratchlm.interop.files import Problems
from scratchlm.interop.hf.config import (
    GPT2_SIZES,
    attends,
    fixed,
    refused,
    rms_norms,
    sizes,
)
from scratchlm.interop.settings import Reader, spelled
from scratchlm.model.block.norm import RMSNorm, norm_each_head

PUBLISHED = {
    "vocab_size": 96,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}


def read(aspect, settings):
    problems = Problems()
    return aspect.read(Reader(settings, problems)), problems.found


def test_sizes_come_and_go_unchanged(small):
    """A size that is read from one name and written to another."""
    aspect = sizes(d_ff="intermediate_size")
    parts, problems = read(aspect, PUBLISHED)
    assert problems == []
    assert parts["n_kv_heads"] == 2
    assert parts["d_head"] == 16
    written = aspect.write(small.config)
    again, _ = read(aspect, written)
    assert all(getattr(small.config, n) == v for n, v in again.items())


def test_a_family_has_defaults_of_its_own():
    """Files of before grouped queries say nothing of key heads; Qwen3's
    heads are wider than D / N, and its files may leave that out."""
    old = {k: v for k, v in PUBLISHED.items() if "key" not in k}
    del old["head_dim"], old["tie_word_embeddings"]
    parts, _ = read(sizes(d_ff="intermediate_size"), old)
    assert (parts["n_kv_heads"], parts["d_head"], parts["tied"]) == (
        4,
        8,
        False,
    )
    own = sizes(d_ff="intermediate_size", d_head=128, tied=True)
    parts, _ = read(own, old)
    assert (parts["d_head"], parts["tied"]) == (128, True)


def test_missing_sizes_are_all_named():
    """A vocabulary that is assumed because the file does not say."""
    _, problems = read(sizes(d_ff="intermediate_size"), {})
    for name in ("vocab_size", "hidden_size", "intermediate_size"):
        assert any(name in problem for problem in problems)


def test_gpt2_speaks_its_own_language():
    """n_inner is null in all of its files."""
    given = {"vocab_size": 9, "n_embd": 8, "n_head": 2, "n_layer": 1}
    given |= {"n_positions": 5, "n_inner": None}
    parts, problems = read(GPT2_SIZES, given)
    assert problems == []
    assert parts["d_ff"] == 32
    assert parts["d_head"] == 4
    _, problems = read(GPT2_SIZES, given | {"n_head": 3})
    assert "3 heads cannot share evenly" in problems[0]


def test_norms_of_queries_share_the_eps():
    """A second eps that stays at our default."""
    given = {"rms_norm_eps": 0.5}
    parts, _ = read(rms_norms(1e-6), given)
    assert spelled(parts["norm"]) == (RMSNorm, {"eps": (0.5, {})})
    parts, _ = read(attends(1e-6, norm_each_head), given)
    _, attention = spelled(parts["attention"])
    made, given = attention["qk_norm"]
    assert made is norm_each_head
    assert given["eps"] == (0.5, {})
    parts, _ = read(rms_norms(0.25), {})
    assert spelled(parts["norm"])[1]["eps"][0] == 0.25


def test_fixed_parts_need_no_setting(small):
    """A part that leaks into the published settings."""
    aspect = fixed(norm=RMSNorm)
    assert read(aspect, {}) == ({"norm": RMSNorm}, [])
    assert aspect.write(small.config) == {}


@pytest.mark.parametrize("value", ["gelu", 3])
def test_what_no_part_does_is_refused(value, small):
    """A model that loads, and computes something else."""
    aspect = refused({"hidden_act": ("silu", "swish"), "extra": (None,)})
    assert read(aspect, {"hidden_act": "swish"}) == ({}, [])
    assert "hidden_act" in read(aspect, {"hidden_act": value})[1][0]
    assert "extra" in read(aspect, {"extra": {}})[1][0]
    # To write null would make transformers look for what it means.
    assert aspect.write(small.config) == {"hidden_act": "silu"}
