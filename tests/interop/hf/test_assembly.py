"""Files that contradict their settings, as people really have them."""

import json
import warnings

import pytest
import torch
from safetensors.torch import load_file

from scratchlm.interop import hf

CLOSE = {"rtol": 0, "atol": 1e-4}
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
ALL = [  # one of each family
    *("gpt2", "llama3", "mistral", "qwen2", "qwen3", "olmo2", "gemma2"),
    *("mixtral", "qwen3-moe"),
]


@pytest.fixture
def tolerant(transformers):
    """A function from a folder to the model as transformers loads it,
    whatever it has to say about the file."""

    def load(folder):
        kind = transformers.AutoModelForCausalLM
        return kind.from_pretrained(folder).eval()

    return load


def head_of_its_own(tensors):
    """Give a file a head that is not the embedding."""
    table = tensors.get(EMBEDDING, tensors.get("transformer.wte.weight"))
    tensors[HEAD] = 0.2 * torch.randn(
        table.shape, generator=torch.Generator().manual_seed(3)
    )


@torch.no_grad()
@pytest.mark.parametrize("name", ALL)
def test_a_head_of_its_own_is_used(name, rewritten, tolerant, tokens):
    """A fine-tuned head that is dropped because the settings, copied from
    the base model, say tied: logits off by a third, and no word of it."""
    folder = rewritten(name, head_of_its_own, tie_word_embeddings=True)
    with pytest.warns(UserWarning, match=r"lm_head\.weight differs from"):
        ours = hf.load(folder).model
    expected = tolerant(folder)(tokens).logits
    torch.testing.assert_close(ours(tokens), expected, **CLOSE)
    assert not ours.config.tied
    hf.save(ours, None, folder)
    assert not json.loads((folder / "config.json").read_text())[
        "tie_word_embeddings"
    ]
    again = tolerant(folder)(tokens).logits
    torch.testing.assert_close(again, expected, **CLOSE)


@torch.no_grad()
def test_a_head_of_its_own_in_another_shard_is_used(
    rewritten, tolerant, tokens
):
    """A comparison within one file alone."""
    folder = rewritten("llama3", head_of_its_own)
    hf.save(hf.load(folder).model, None, folder, max_shard_bytes=9000)
    settings = json.loads((folder / "config.json").read_text())
    settings["tie_word_embeddings"] = True
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.warns(UserWarning, match="differs from"):
        ours = hf.load(folder).model
    expected = tolerant(folder)(tokens).logits
    torch.testing.assert_close(ours(tokens), expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("name", ALL)
def test_a_family_says_whether_heads_are_tied(
    name, rewritten, tolerant, tokens
):
    """One default for all: Gemma 2 and GPT-2 tie where nothing is said, and
    the others do not."""
    folder = rewritten(name, head_of_its_own, tie_word_embeddings="DROP")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ours = hf.load(folder).model
    differs = ["differs from" in str(each.message) for each in told]
    assert differs == [True] * (name in ("gpt2", "gemma2"))
    expected = tolerant(folder)(tokens).logits
    torch.testing.assert_close(ours(tokens), expected, **CLOSE)


def test_a_head_that_is_not_there_is_asked_for(rewritten):
    """Random weights in its place, or a name without what to do."""
    folder = rewritten("llama3", lambda tensors: tensors.pop(HEAD))
    with pytest.raises(ValueError, match=r"lm_head.*set tie_word_emb"):
        hf.load(folder)


@torch.no_grad()
def test_a_head_can_stand_for_the_embedding(rewritten, tolerant, tokens):
    """A tied file that keeps the one table under its other name."""

    def rename(tensors):
        tensors[HEAD] = tensors.pop(EMBEDDING)

    folder = rewritten("llama-tied", rename)
    ours = hf.load(folder).model
    expected = tolerant(folder)(tokens).logits
    torch.testing.assert_close(ours(tokens), expected, **CLOSE)
    assert ours.head.weight is ours.embedding.tokens.weight


def test_a_tied_head_of_another_shape_is_refused(rewritten):
    """A vocabulary that was made longer on one side alone."""

    def lengthen(tensors):
        tensors[HEAD] = torch.ones(97, 32)

    folder = rewritten("llama-tied", lengthen)
    with (
        pytest.warns(UserWarning, match="differs from"),
        pytest.raises(ValueError, match=r"lm_head.weight has .* \(97, 32\)"),
    ):
        hf.load(folder)


@torch.no_grad()
@pytest.mark.parametrize("wide", ["embed", "norm", "gate", "q_proj"])
@pytest.mark.parametrize("said", ["dtype", "torch_dtype"])
def test_mixed_types_become_one(wide, said, rewritten, tolerant, tokens):
    """An embedding, a norm or a router in float32 beside bfloat16: a load
    that succeeds, and a first pass that does not."""

    def mix(tensors):
        for name, tensor in tensors.items():
            if wide not in name:
                tensors[name] = tensor.bfloat16()

    told = {"dtype": "DROP"} | {said: "bfloat16"}
    folder = rewritten("mixtral", mix, **told)
    ours = hf.load(folder).model
    assert {w.dtype for w in ours.parameters()} == {torch.bfloat16}
    expected = tolerant(folder)
    assert expected.dtype == torch.bfloat16
    off = (ours(tokens) - expected(tokens).logits).abs()
    assert off.mean() < 0.02
    exact = hf.load(folder, dtype=torch.float32).model(tokens)
    assert exact.dtype == torch.float32
    assert (ours(tokens) - exact).abs().mean() < 0.02


def test_the_type_that_was_asked_for_is_given(publish, tokens):
    """An argument that the file overrules."""
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        model = hf.load(publish("gpt2"), dtype=dtype).model
        assert {w.dtype for w in model.parameters()} == {dtype}
        assert model(tokens).dtype == dtype
    with pytest.raises(ValueError, match="dtype is int8; use float64 or"):
        hf.load(publish("gpt2"), dtype=torch.int8)


@pytest.mark.parametrize("said", ["DROP", None, "int4", 16])
def test_mixed_types_of_which_none_is_meant_are_refused(said, rewritten):
    """A guess, by the first tensor of the file."""

    def mix(tensors):
        tensors[EMBEDDING] = tensors[EMBEDDING].half()

    folder = rewritten("llama3", mix, dtype=said, torch_dtype=said)
    with pytest.raises(ValueError, match="several types") as error:
        hf.load(folder)
    assert f"float16: {EMBEDDING}" in str(error.value)
    assert hf.load(folder, dtype=torch.float32)


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2", "int8"])
def test_quantized_weights_are_named_as_such(kind, rewritten):
    """Numbers without their scales, or a line for each of 291 tensors."""

    def squeeze(tensors):
        for name in tensors:
            if "proj" in name:
                tensors[name] = tensors[name].to(getattr(torch, kind))

    with pytest.raises(ValueError, match=f"hold {kind}") as error:
        hf.load(rewritten("llama3", squeeze))
    told = str(error.value)
    assert "and 11 more" in told
    assert ("16-bit" if "float8" in kind else "before it was") in told
    assert len(told) < 700


def test_numbers_too_large_for_the_type_are_told(rewritten):
    """A weight of 70,000 in bfloat16 that is infinite in float16."""

    def enlarge(tensors):
        name = "model.layers.1.mlp.up_proj.weight"
        tensors[name][0, 0] = 70_000.0
        for name, tensor in tensors.items():
            tensors[name] = tensor.bfloat16()

    folder = rewritten("llama3", enlarge, dtype="bfloat16")
    with pytest.raises(ValueError, match=r"1\.mlp\.up.* large for float16"):
        hf.load(folder, dtype=torch.float16)
    assert hf.load(folder, dtype=torch.float32)


def test_infinity_stays_what_it_is(rewritten):
    """A number that was infinite in the file, told as an overflow."""

    def fill(tensors):
        tensors[EMBEDDING][0] = torch.inf

    folder = rewritten("llama3", fill)
    assert hf.load(folder, dtype=torch.float16)


WRAPPERS = {
    "compiled": "_orig_mod.{}",
    "ddp": "module.{}",
    "both": "module._orig_mod.{}",
    "fsdp": "_fsdp_wrapped_module.{}",
    "peft": "base_model.model.{}",
    "model": "model.{}",
    "lightning": "net.lm.{}",
}


@torch.no_grad()
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", ["gpt2", "llama-tied", "qwen3-moe"])
def test_a_wrapper_in_names_is_left_out(name, wrapper, rewritten, tokens):
    """28,058 characters of names that are missing, and of the same names
    that are too many."""
    expected = hf.load(rewritten(name, lambda tensors: None)).model(tokens)

    def wrap(tensors):
        for each in list(tensors):
            tensors[WRAPPERS[wrapper].format(each)] = tensors.pop(each)

    folder = rewritten(name, wrap)
    with pytest.warns(UserWarning, match="part is left out of names"):
        ours = hf.load(folder).model
    assert torch.equal(ours(tokens), expected)


@torch.no_grad()
def test_wrappers_within_a_model_are_left_out(rewritten, tokens):
    """Layers that were compiled or recomputed one by one."""
    expected = hf.load(rewritten("llama3", lambda t: None)).model(tokens)

    def wrap(tensors):
        for each in list(tensors):
            inner = "_checkpoint_wrapped_module._orig_mod.self_attn"
            new = each.replace("self_attn", inner)
            tensors[new] = tensors.pop(each)

    with pytest.warns(UserWarning, match="part is left out of names"):
        ours = hf.load(rewritten("llama3", wrap)).model
    assert torch.equal(ours(tokens), expected)


def test_a_base_model_in_a_wrapper_gets_its_prefix(rewritten):
    """A model without its head, saved from inside another."""

    def wrap(tensors):
        for each in list(tensors):
            new = each.replace("model.", "encoder.", 1)
            tensors[new] = tensors.pop(each)

    with pytest.warns(UserWarning, match="part is left out of names"):
        assert hf.load(rewritten("llama-tied", wrap))


def test_a_model_beside_another_is_refused(rewritten):
    """The half of a model that also sees, loaded without its eyes."""

    def wrap(tensors):
        for each in list(tensors):
            tensors[f"language_model.{each}"] = tensors.pop(each)
        tensors["vision.weight"] = torch.ones(3)

    with pytest.raises(ValueError, match=r"and vision\.weight beside it"):
        hf.load(rewritten("llama3", wrap))


@pytest.mark.parametrize("kind", ["qwen3-moe", "llama3", "gpt2"])
def test_no_message_is_long(kind, rewritten):
    """All names of a large model: what to do about it scrolls away."""
    worst = {
        "renamed": lambda t: {f"x.{n}.{'y' * 900}": w for n, w in t.items()},
        "turned": lambda t: {n: w[None] for n, w in t.items()},
        "bytes": lambda t: {n: w.to(torch.uint8) for n, w in t.items()},
        "lora": lambda t: {f"base_model.{n}.lora_A": w for n, w in t.items()},
        "gone": lambda t: {next(iter(t)): next(iter(t.values()))},
        "more": lambda t: t | {f"{n}_scale": w.clone() for n, w in t.items()},
    }
    for name, make in worst.items():

        def change(tensors, make=make):
            made = make(dict(tensors))
            tensors.clear()
            tensors.update({n: w.contiguous() for n, w in made.items()})

        folder = rewritten(kind, change)
        with pytest.raises(ValueError, match="cannot load") as error:
            hf.load(folder)
        told = str(error.value).removeprefix(
            f"cannot load a model from {folder}"
        )
        assert len(told) < 620, name
    assert "not part of" in told


def test_settings_that_are_long_are_told_in_short(edited):
    """A table of quantization, printed whole."""
    long = {f"module_{i}": list(range(50)) for i in range(50)}
    for key in (
        *("quantization_config", "rope_parameters", "layer_types"),
        *("architectures", "hidden_act", "num_hidden_layers"),
    ):
        folder = edited("qwen2-windows", **{key: long})
        with pytest.raises(ValueError, match="cannot load") as error:
            hf.load(folder)
        assert len(str(error.value)) < 720, key


@torch.no_grad()
def test_key_heads_that_are_not_told_are_query_heads(edited, tokens):
    """Files of before grouped queries; and one that has fewer key heads and
    forgot to say so, told as a wrong shape in each of its layers."""
    gone = {"num_key_value_heads": "DROP"}
    expected = hf.load(edited("llama2")).model(tokens)
    assert torch.equal(
        hf.load(edited("llama2", **gone)).model(tokens), expected
    )
    for name in ("llama3", "qwen2", "olmo2", "mixtral", "qwen3-moe"):
        with pytest.raises(ValueError, match=r"key_value_heads.* write 2 in"):
            hf.load(edited(name, **gone))


BIASED = {"attention_bias": True, "mlp_bias": True}


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["llama3", "qwen3", "olmo2", "gemma2", "qwen3-moe"]
)
def test_projections_can_have_biases(
    name, rewritten, theirs, tokens, tmp_path
):
    """A model that is refused for one setting; biases of the values put on
    the keys, or the output's left out."""
    draw = torch.Generator().manual_seed(5)

    def bias(tensors):
        for each, weight in list(tensors.items()):
            attends = "self_attn" in each and "norm" not in each
            if attends or (name == "llama3" and "mlp" in each):
                shift = torch.randn(len(weight), generator=draw)
                tensors[each.replace("weight", "bias")] = shift

    folder = rewritten(name, bias, **BIASED)
    ours = hf.load(folder).model
    expected = theirs(folder)(tokens).logits
    torch.testing.assert_close(ours(tokens), expected, **CLOSE)
    before = load_file(folder / "model.safetensors")
    hf.save(ours, None, tmp_path / "again")
    again = theirs(tmp_path / "again")(tokens).logits
    torch.testing.assert_close(again, expected, **CLOSE)
    after = load_file(tmp_path / "again" / "model.safetensors")
    torch.testing.assert_close(after, before)  # Gemma's 1 + w rounds


def test_biases_of_one_kind_alone(edited):
    """One setting that asks for the other's biases too."""
    with pytest.raises(ValueError, match=r"missing: .*mlp\.down_proj\.bias"):
        hf.load(edited("llama3", mlp_bias=True))
    with pytest.raises(ValueError, match=r"missing: .*k_proj\.bias"):
        hf.load(edited("llama3", attention_bias=True))
