"""Which folder is meant, and where a text begins and ends."""

import json
import re
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from scratchlm.cli.checkpoint import (
    Speaker,
    artifact_names,
    find_checkpoint,
    load_speaker,
)
from scratchlm.interop.hf.models import save
from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.frame import Frame

END = "<|endoftext|>"
# Its package has a function of this name.
module = import_module("scratchlm.recipes.artifact")


def tokenizer(names=(END,), **fields):
    special = {name: 256 + i for i, name in enumerate(names)}
    trained = BPETokenizer.train(["abc"], 256)
    return replace(trained, special_tokens=special, **fields)


def write(folder, tok, **settings):
    torch.manual_seed(0)
    config = replace(tiny(64), vocab_size=300)
    save(Transformer(config), tok, folder)
    path = folder / "config.json"
    told = json.loads(path.read_text()) | settings
    path.write_text(json.dumps(told))
    return folder


def test_a_folder_a_run_and_a_name_lead_to_a_model(tmp_path, monkeypatch):
    """A user who has to know where a recipe puts its model."""
    made = tmp_path / "made"
    monkeypatch.setattr(module, "MADE", made)
    for folder in ("plain", "run/model", "made/mine"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text("{}")
    (made / "mine/manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("plain").samefile("plain")
    assert find_checkpoint("run").samefile("run/model")
    assert find_checkpoint("mine").samefile("made/mine")
    base = find_checkpoint("tinyworld-base")
    assert base == module.SHIPPED / "tinyworld-base"
    assert artifact_names() == ["mine", "tinyworld-base"]


def test_what_holds_no_model_says_what_would(tmp_path, monkeypatch):
    """A name with a slip, and a traceback from deep inside a loader."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"no folder base,.* tinyworld-base"):
        find_checkpoint("base")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there is no empty/config.json"):
        find_checkpoint("empty")
    (tmp_path / "empty/run.json").write_text("{}")
    with pytest.raises(ValueError, match=r"scratchlm resume empty$"):
        find_checkpoint("empty")


def test_a_model_of_ours_begins_and_ends_with_the_end(tmp_path):
    """A prompt that stands where no document has ever begun."""
    found = load_speaker(write(tmp_path, tokenizer()))
    assert (found.begin, found.ends) == ((256,), {256})
    assert not found.model.training
    assert {p.dtype for p in found.model.parameters()} == {torch.float32}


def test_the_ends_of_both_files_count(tmp_path):
    """A chat model whose turn ends in a token that only the settings for
    generation name: it talks to itself until it is cut off."""
    folder = write(tmp_path, tokenizer(), eos_token_id=[7, 8])
    more = {"eos_token_id": [9, 4000], "bos_token_id": 5}
    (folder / "generation_config.json").write_text(json.dumps(more))
    found = load_speaker(folder)
    assert found.ends == {7, 8, 9}
    assert found.begin == (256,)


def test_the_tokenizer_says_first_where_a_text_begins(tmp_path):
    """Llama's file names its first token in the frame alone."""
    tok = tokenizer(names=[END, "<s>"], frame=Frame(before=("<s>",)))
    assert load_speaker(write(tmp_path, tok)).begin == (257,)


def test_settings_that_name_no_end_leave_the_tokenizers(tmp_path):
    """A folder of another program without ids, and text without an end."""
    nothing = {"bos_token_id": None, "eos_token_id": None}
    found = load_speaker(write(tmp_path, tokenizer(), **nothing))
    assert (found.begin, found.ends) == ((), {256})


def test_a_model_without_a_tokenizer_is_refused(tmp_path):
    """Ids in place of text, or an error that names neither file."""
    folder = write(tmp_path, None)
    said = f"{re.escape(str(folder))} has a model and no tokenizer"
    with pytest.raises(ValueError, match=said):
        load_speaker(folder)


def speaker(begin):
    return Speaker(None, tokenizer(), begin, frozenset())


def test_what_begins_a_text_stands_there_once():
    """Two such tokens, which no text that the model has seen begins with."""
    assert speaker((256,)).read("ab") == [256, 97, 98]
    assert speaker((256,)).read(f"{END}ab") == [256, 97, 98]
    assert speaker(()).read("ab") == [97, 98]


def test_an_empty_prompt_begins_a_text_where_something_can():
    """A row of no tokens, for which a model has no logits."""
    assert speaker((256,)).read("") == [256]
    with pytest.raises(ValueError, match=r"prompt is empty, .* give a --prom"):
        speaker(()).read("")
