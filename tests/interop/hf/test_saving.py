"""What :func:`scratchlm.interop.hf.save` leaves on the disk."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from scratchlm.interop import hf
from scratchlm.interop.hf import models
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.text.tokenizer.bpe import BPETokenizer

CLOSE = {"rtol": 0, "atol": 1e-4}


def test_a_model_saves_over_its_own_file(edited, tokens):
    """Weights are views of the file that is replaced: if it were written in
    place, they would change under the writer's hands."""
    folder = edited("gpt2")
    (folder / "generation_config.json").write_text('{"top_k": 7}')
    model = hf.load(folder).model
    with torch.no_grad():
        model.norm.bias += 1
        expected = model(tokens)
    hf.save(model, None, folder)
    assert torch.equal(model(tokens), expected)
    again = hf.load(folder).model
    assert torch.equal(again(tokens), expected)
    kept = (folder / "generation_config.json").read_text()
    assert kept == '{"top_k": 7}'


def test_the_tokenizer_travels_with_its_model(small, tmp_path):
    """A model that speaks in ids; an end of text that generation misses."""
    end = "<|endoftext|>"
    tokenizer = BPETokenizer.train(["a" * 9], 258, special_tokens=[end])
    wide = Transformer(replace(small.config, vocab_size=300))
    hf.save(wide, tokenizer, tmp_path)
    model, again = hf.load(tmp_path)
    assert again.fingerprint == tokenizer.fingerprint
    assert model.config.vocab_size == 300
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["eos_token_id"] == tokenizer.special_tokens[end]


def ids_in(folder):
    settings = json.loads((folder / "config.json").read_text())
    return {n: i for n, i in settings.items() if n.endswith("_token_id")}


def test_the_ids_of_a_published_model_can_be_kept(edited, tmp_path, theirs):
    """A Llama 3 that is saved elsewhere and does not know its own end: it
    writes until it is stopped."""
    source = edited("llama3", bos_token_id=5, eos_token_id=[7, 9])
    model, tokenizer = hf.load(source)
    hf.save(model, tokenizer, tmp_path / "new", like=source)
    assert ids_in(tmp_path / "new") == ids_in(source)
    assert theirs(tmp_path / "new").generation_config.eos_token_id == [7, 9]
    with pytest.raises(ValueError, match="no folder"):
        hf.save(model, None, tmp_path / "new", like=tmp_path / "none")
    assert ids_in(tmp_path / "new") == ids_in(source)


@pytest.mark.parametrize("told", [True, False])
def test_ids_stay_where_a_model_is_saved_over(edited, told):
    """A fine-tuned model in the place of its source, which has forgotten
    where a text ends; a folder with a broken file, refused."""
    ids = {"bos_token_id": 5, "eos_token_id": [7, 9], "pad_token_id": 3}
    folder = edited("llama3", **ids)
    model, tokenizer = hf.load(folder)
    if not told:
        (folder / "config.json").write_text("{")
        ids = {"bos_token_id": None, "eos_token_id": None}
    hf.save(model, tokenizer, folder)
    assert ids_in(folder) == ids


def test_a_tokenizer_too_large_for_its_model_is_refused(small, tmp_path):
    """Ids that the embedding has no row for."""
    tokenizer = BPETokenizer.train(["ab"], 256)
    with pytest.raises(ValueError, match="256 tokens and the model 96"):
        hf.save(small, tokenizer, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_heads_that_came_loose_are_not_saved(publish, tmp_path):
    """The head's own weights, dropped because the config says tied."""
    model = hf.load(publish("gpt2")).model
    model.head.weight = torch.nn.Parameter(model.head.weight.clone())
    with pytest.raises(ValueError, match="two tensors"):
        hf.save(model, None, tmp_path / "new")


def test_a_failed_save_leaves_what_was_there(edited, small, monkeypatch):
    """A disk that is full half-way: the old model is gone and the new one
    has no weights."""
    folder = edited("llama3")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def fail(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr(models, "write_whole", fail)
    with pytest.raises(OSError, match="no space"):
        hf.save(small, None, folder, max_shard_bytes=9000)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


FEW, MANY = 1 << 20, 9000  # bytes in a file of weights


@torch.no_grad()
@pytest.mark.parametrize(
    "limits", [(FEW, FEW), (FEW, MANY), (MANY, FEW), (MANY, MANY)]
)
def test_a_kill_mixes_no_weights(small, tokens, tmp_path, monkeypatch, limits):
    """The first shard new and the second old, with equal shapes, which
    loads like any model: seen at each change of the folder."""
    folder = tmp_path / "model"
    hf.save(small, None, folder, max_shard_bytes=limits[0])
    old = small(tokens)
    small = hf.load(folder).model
    for weight in small.parameters():
        weight.add_(0.1)
    copies = []

    def copied_before(change):
        def changed(path, *given, **options):
            copies.append(tmp_path / f"copy-{len(copies)}")
            hidden = shutil.ignore_patterns(".*")
            shutil.copytree(folder, copies[-1], ignore=hidden)
            return change(path, *given, **options)

        return changed

    kind = type(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "replace", copied_before(kind.replace))
        patch.setattr(kind, "unlink", copied_before(kind.unlink))
        hf.save(small, None, folder, max_shard_bytes=limits[1])
    new = small(tokens)
    found = [hf.load(copy).model(tokens) for copy in [*copies, folder]]
    changed = [torch.equal(each, new) for each in found]
    assert changed == sorted(changed)
    assert changed[-1]
    assert not changed[0]
    assert all(
        torch.equal(each, new if late else old)
        for each, late in zip(found, changed, strict=True)
    )


def test_a_new_model_leaves_nothing_of_the_old(
    edited, publish, tokens, theirs
):
    """An old single file that readers prefer to the new index, or shards of
    another model beside the new one's."""
    folder = edited("llama3")
    other = hf.load(publish("mistral")).model
    with torch.no_grad():
        expected = other(tokens)
    hf.save(other, None, folder, max_shard_bytes=9000)
    again = hf.load(folder).model(tokens)
    torch.testing.assert_close(again, expected, **CLOSE)
    shards = set(folder.glob("*.safetensors"))
    hf.save(other, None, folder, max_shard_bytes=9000)
    assert not shards & set(folder.glob("*.safetensors"))
    again = theirs(folder)(tokens).logits
    torch.testing.assert_close(again, expected, **CLOSE)
    hf.save(other, None, folder)
    weights = [p.name for p in folder.iterdir() if "safetensors" in p.name]
    assert weights == ["model.safetensors"]
    again = hf.load(folder).model(tokens)
    torch.testing.assert_close(again, expected, **CLOSE)


def test_a_file_names_its_framework(small, tmp_path):
    """transformers refuses weights without this word."""
    hf.save(small, None, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_an_architecture_can_be_asked_for(small, tmp_path):
    """A model that two architectures describe, published as the wrong one."""
    hf.save(small, None, tmp_path, architecture="MistralForCausalLM")
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["architectures"] == ["MistralForCausalLM"]
