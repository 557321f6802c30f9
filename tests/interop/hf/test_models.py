import json
import os
import subprocess
import sys
import warnings
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file, save_file

from scratchlm.inference.cache import complete
from scratchlm.interop import hf

CLOSE = {"rtol": 0, "atol": 1e-4}
_ODD_ROPE = {"rope_type": []}
_STILL = {"rope_type": "yarn", "rope_theta": 1.0, "factor": 4.0}


def is_tied(one, other):
    return one.weight.data_ptr() == other.weight.data_ptr()


@torch.no_grad()
def test_published_models_give_their_logits(folder, theirs, tokens):
    """A weight that lands in the wrong place, an eps or an angle that is
    not the published one, a window that is one key too wide."""
    ours = hf.load(folder).model
    expected = theirs(folder)
    torch.testing.assert_close(ours(tokens), expected(tokens).logits, **CLOSE)
    tied = expected.config.tie_word_embeddings
    assert is_tied(ours.head, ours.embedding.tokens) == tied
    same = sum(p.numel() for p in ours.parameters())
    assert same == expected.num_parameters()


@torch.no_grad()
def test_what_we_save_loads_in_transformers(folder, theirs, tokens, tmp_path):
    """A change of a weight that is done on one way and not undone on the
    other; settings that only we can read; a tied head saved twice."""
    ours = hf.load(folder).model
    hf.save(ours, None, tmp_path)
    again = theirs(tmp_path)
    torch.testing.assert_close(again(tokens).logits, ours(tokens), **CLOSE)
    ends = again.get_output_embeddings(), again.get_input_embeddings()
    assert is_tied(*ends) == ours.config.tied
    before = load_file(folder / "model.safetensors")
    after = load_file(tmp_path / "model.safetensors")
    assert set(after) == set(before)


def test_both_continue_alike(folder, theirs, tokens):
    """An error that grows with the position, or that rounding hides in a
    single pass; a batch that is padded where the other text is longer."""
    rows = [tokens[0, :3].tolist(), tokens[1, :8].tolist()]
    other = theirs(folder)
    expected = [
        other.generate(
            torch.tensor([row]),
            max_new_tokens=20,
            do_sample=False,
            pad_token_id=0,
        )[0].tolist()
        for row in rows
    ]
    ours = complete(hf.load(folder).model, rows, max_new_tokens=20)
    both = zip(rows, ours, strict=True)
    assert [row + new for row, new in both] == expected


def test_numbers_keep_their_type(folder, theirs, tmp_path):
    """A bfloat16 model that takes twice its memory once loaded, or that is
    saved in float32."""
    half = theirs(folder).bfloat16()
    half.save_pretrained(tmp_path / "half")
    ours = hf.load(tmp_path / "half").model
    kinds = {w.dtype for w in ours.parameters() if w.ndim > 1}
    assert kinds == {torch.bfloat16}
    hf.save(ours, None, tmp_path / "ours")
    before = load_file(tmp_path / "half" / "model.safetensors")
    after = load_file(tmp_path / "ours" / "model.safetensors")
    assert all(torch.equal(after[name], w) for name, w in before.items())
    settings = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert settings["torch_dtype"] == "bfloat16"


def test_gemma_norms_keep_what_bfloat16_would_round(publish, theirs, tmp_path):
    """1 + w in bfloat16: a quarter of a per cent of each channel is lost."""
    theirs(publish("gemma2")).bfloat16().save_pretrained(tmp_path)
    ours = hf.load(tmp_path).model
    stored = load_file(tmp_path / "model.safetensors")["model.norm.weight"]
    assert torch.equal(ours.norm.weight, 1 + stored.float())


@torch.no_grad()
def test_sharded_models_are_one_model(publish, theirs, tokens, tmp_path):
    """The first file taken for the whole."""
    source = theirs(publish("llama3"))
    source.save_pretrained(tmp_path / "theirs", max_shard_size="9KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 2
    ours = hf.load(tmp_path / "theirs").model
    expected = source(tokens).logits
    torch.testing.assert_close(ours(tokens), expected, **CLOSE)
    hf.save(ours, None, tmp_path / "ours", max_shard_bytes=9000)
    files = sorted((tmp_path / "ours").glob("*.safetensors"))
    assert len(files) > 2
    # A tensor that is larger than the limit has its file for itself.
    sizes = [sum(t.nbytes for t in load_file(f).values()) for f in files]
    assert all(
        n <= 9000 or len(load_file(f)) == 1
        for n, f in zip(sizes, files, strict=True)
    )
    again = theirs(tmp_path / "ours")
    torch.testing.assert_close(again(tokens).logits, expected, **CLOSE)


def mapped_ranges(path):
    """Where in memory the file is mapped."""
    with open("/proc/self/maps") as maps:
        lines = [line for line in maps if line.rstrip().endswith(str(path))]
    return [
        [int(end, 16) for end in line.split()[0].split("-")] for line in lines
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("name", ["gpt2", "llama3"])
def test_weights_are_views_of_the_file(publish, name):
    """A copy of each weight, made while loading. GPT-2's transposes and the
    parts of its fused matrix need none either."""
    folder = publish(name)
    model = hf.load(folder).model
    ranges = mapped_ranges(folder / "model.safetensors")
    for weight in model.parameters():
        assert any(a <= weight.data_ptr() < b for a, b in ranges)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_loading_takes_neither_memory_nor_transformers(publish, tmp_path):
    """A loader that reads all of a file that is larger than the memory; an
    import that makes the reference a dependency."""
    settings = json.loads((publish("llama2") / "config.json").read_text())
    rows = 400_000  # 32 floats each: 49 MiB
    settings["vocab_size"] = rows
    (tmp_path / "config.json").write_text(json.dumps(settings))
    old = load_file(publish("llama2") / "model.safetensors")
    big = {"model.embed_tokens.weight": torch.ones(rows, 32)}
    big["lm_head.weight"] = torch.ones(rows, 32)
    save_file(old | big, tmp_path / "model.safetensors")
    code = f"""
import os, sys
from scratchlm.interop import hf
def resident():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20
before = resident()
model = hf.load({str(tmp_path)!r}).model
loaded = resident()
model.head.weight.sum(), model.embedding.tokens.weight.sum()
print(loaded - before, resident() - before)
sys.exit("transformers" in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ,
    ).stdout
    loaded, used = map(int, told.split())
    assert loaded < 20  # MiB
    assert used > 90


def test_training_leaves_the_file_alone(publish, tokens):
    """A mapping that is shared: the optimiser's step changes the download."""
    path = publish("gpt2") / "model.safetensors"
    before = path.read_bytes()
    model = hf.load(publish("gpt2")).model
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    first = model(tokens).logsumexp(-1).mean()
    first.backward()
    optimizer.step()
    assert model(tokens).logsumexp(-1).mean() < first
    assert path.read_bytes() == before


def test_tensors_that_do_not_fit_are_named_all_at_once(edited):
    """One error for each attempt, for as many attempts as there are
    errors; and a model that keeps random weights where a name is missing."""
    folder = edited("llama3")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.norm.weight"], tensors["lm_head.weight"]
    tensors["model.layers.7.mlp.up_proj.weight"] = torch.ones(2)
    name = "model.layers.0.mlp.up_proj.weight"
    tensors[name] = tensors[name].T.contiguous()
    scale = "model.layers.1.input_layernorm.weight"
    tensors[scale] = tensors[scale].to(torch.int8)
    save_file(tensors, path)
    with pytest.raises(ValueError, match="cannot load a model") as error:
        hf.load(folder)
    assert str(error.value).splitlines()[1:] == [
        f"  - {scale} hold int8: weights must be floating-point numbers of "
        "16 bits or more; take the model's files from before it was quantized",
        "  - missing: lm_head.weight, model.norm.weight; if it is the "
        "embedding, set tie_word_embeddings to true",
        "  - not part of LlamaForCausalLM: model.layers.7.mlp.up_proj.weight",
        f"  - {name} has the shape (32, 48), not (48, 32) as the settings say",
    ]


def test_what_is_wrong_in_all_files_is_told_at_once(edited):
    """Settings, weights and tokenizer, each hidden behind the one before."""
    folder = edited("llama3", hidden_act="gelu", num_hidden_layers="two")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="cannot load") as error:
        hf.load(folder)
    for part in (
        "model.safetensors cannot be read",
        "hidden_act is 'gelu'",
        "num_hidden_layers is 'two'",
        "tokenizer.json cannot be read",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"architectures": ["BertForMaskedLM"]}, "Bert.*LlamaForCausalLM"),
        ({"num_hidden_layers": 10**4}, "10000 layers, but 21 tensors"),
        ({"head_dim": 10**12}, "d_head is 10*, but no tensor .* above 96"),
        ({"head_dim": 7}, "pairs"),
        ({"num_key_value_heads": 3}, "n_kv_heads is 3"),
        ({"max_position_embeddings": 0}, "max_position_embeddings is 0"),
        ({"rms_norm_eps": 10**400}, "rms_norm_eps is 10"),
        ({"rope_parameters": _STILL}, "use a theta above 1"),
    ],
)
def test_settings_of_no_model_are_refused(edited, changes, problem):
    """An error from deep inside, or a loop over a billion layers."""
    with pytest.raises(ValueError, match=problem):
        hf.load(edited("llama3", **changes))


@pytest.mark.parametrize("name", ["qwen2-windows", "gemma2", "mixtral"])
def test_no_setting_breaks_the_reader(edited, name):
    """An error from deep inside, an allocation of a terabyte, or a loop over
    a number of layers that a stranger chose."""
    told = json.loads((edited(name) / "config.json").read_text())
    for key in [*told, "rope_scaling", "partial_rotary_factor"]:
        for value in (10**400, 10**30, 10**12, 0, "x", [[]], _ODD_ROPE):
            with suppress(ValueError):  # that alone is an answer
                hf.load(edited(name, **{key: value}))


@torch.no_grad()
def test_old_files_load(edited, theirs, tokens):
    """Names without their prefix, as in GPT-2's own repository, and the mask
    that it holds among the weights; a tied head that is there all the same."""
    expected = hf.load(edited("gpt2")).model(tokens)
    folder = edited("gpt2", architectures="DROP", tie_word_embeddings="DROP")
    path = folder / "model.safetensors"
    tensors = {
        name.removeprefix("transformer."): tensor
        for name, tensor in load_file(path).items()
    }
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 64, 64).tril()
    save_file(tensors, path)
    assert torch.equal(hf.load(folder).model(tokens), expected)


@torch.no_grad()
def test_a_tied_head_may_be_in_the_file(edited, tokens):
    """A file that holds the same numbers twice is refused, or its head is
    untied by the second copy."""
    folder = edited("llama-tied")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, path)
    model = hf.load(folder).model
    assert model.head.weight is model.embedding.tokens.weight


def test_a_published_tokenizer_that_we_lack_is_no_error(edited, tokens):
    """A model that cannot be had because of how its text is cut."""
    folder = edited("llama3")
    document = {"model": {"type": "WordLevel"}, "pre_tokenizer": None}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, tokenizer = hf.load(folder)
    assert tokenizer is None
    assert model.config.vocab_size == 96
    assert "tokenizers library" in str(caught[0].message)
