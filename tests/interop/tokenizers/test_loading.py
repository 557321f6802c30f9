"""One call for a tokenizer of any family."""

import json
import subprocess
import sys

import pytest

from scratchlm.interop.tokenizers.loading import FAMILIES, load_tokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer

TEXTS = ["the boats come back with the tide and the harbour wakes. " * 20]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_says_its_family(tmp_path, name):
    """A caller who has to know which class wrote a folder."""
    tok = FAMILIES[name].train(TEXTS, 300, special_tokens=["<|end|>"])
    tok.save(tmp_path)
    for place in (tmp_path, str(tmp_path / "tokenizer.json")):
        loaded = load_tokenizer(place)
        assert type(loaded) is FAMILIES[name]
        assert loaded.fingerprint == tok.fingerprint


def test_gpt2_files_are_found(tmp_path):
    """A folder of the oldest kind."""
    tok = BPETokenizer.train(TEXTS, 270)
    tok.save(tmp_path / "new")
    model = json.loads((tmp_path / "new" / "tokenizer.json").read_text())
    model = model["model"]
    (tmp_path / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [" ".join(pair) for pair in model["merges"]]
    (tmp_path / "merges.txt").write_text("\n".join(merges))
    loaded = load_tokenizer(tmp_path)
    assert loaded.encode(TEXTS[0]) == tok.encode(TEXTS[0])


def test_bpe_on_characters_and_sentencepiece_are_found(tmp_path):
    """The command line took Llama 2's file for one of bytes, and refused it,
    while the loader of checkpoints read it."""
    vocab = {"<unk>": 0, "▁": 1, "a": 2, "b": 3, "ab": 4}
    model = {
        "type": "BPE",
        "unk_token": "<unk>",
        "vocab": vocab,
        "merges": [["a", "b"]],
    }
    metaspace = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "first",
        "split": False,
    }
    document = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": metaspace,
        "post_processor": None,
        "decoder": metaspace,
        "model": model,
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    assert load_tokenizer(tmp_path).encode("ab a") == [1, 4, 1, 2]


def test_a_folder_without_one_is_named(tmp_path):
    """A traceback out of a file that is not there, or of one that is bad."""
    with pytest.raises(ValueError, match=r"no .*tokenizer\.json, nor vocab"):
        load_tokenizer(tmp_path)
    for content in ("", "[]", '{"model": 1}', '{"model": {"type": "X"}}'):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(ValueError, match=r"tokenizer\.json"):
            load_tokenizer(tmp_path)


def test_it_needs_no_torch():
    """The command line fails where only the text part is installed."""
    code = (
        "import sys; sys.modules['torch'] = None; "
        "sys.modules['safetensors'] = None; "
        "import scratchlm.interop.tokenizers.loading"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
