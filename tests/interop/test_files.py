import json
import sys
import types

import numpy as np
import pytest
from safetensors.numpy import save_file

from scratchlm.foundation.durable import replacing
from scratchlm.interop import hf
from scratchlm.interop.files import (
    WANTED,
    Problems,
    find_folder,
    read_settings,
    read_tensors,
    weights_in,
)


def test_problems_are_told_at_once():
    """The second problem, which shows only when the first is mended."""
    problems = Problems()
    problems.raise_for("nothing yet")
    with problems:
        raise ValueError("one")
    problems.add("two")
    problems.add("two")
    with pytest.raises(ValueError, match=r"^no way:\n  - one\n  - two$"):
        problems.raise_for("no way")


def test_other_errors_end_a_block_of_problems():
    """A bug of ours, hidden in a list of what the user did wrong."""
    with pytest.raises(KeyError), Problems():
        raise KeyError("a bug")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A fake of the library that downloads; it keeps what it was asked."""
    asked = {}

    def snapshot_download(repo, **given):
        asked.update(given, repo=repo)
        if repo == "no/such":
            raise OSError("404")
        return str(tmp_path)

    fake = types.ModuleType("huggingface_hub")
    fake.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return asked


def test_only_files_that_run_no_code_are_downloaded(hub, tmp_path):
    """A pickle, or the repository's Python, that comes along."""
    assert find_folder("me/model", revision="v2") == tmp_path
    assert hub["repo"] == "me/model"
    assert hub["revision"] == "v2"
    assert hub["allow_patterns"] == list(WANTED)
    assert not any("bin" in p or "py" in p or "pt" in p for p in WANTED)
    assert hub["ignore_patterns"] == ["*/*"]


def test_a_folder_is_never_downloaded(hub, tmp_path):
    """A folder with the name of a repository, replaced by the latter; a path
    with a typing error, looked for on the network."""
    assert find_folder(tmp_path) == tmp_path
    assert find_folder(str(tmp_path)) == tmp_path
    for missing in (tmp_path / "new", "../new", "/new", "a/b/c"):
        with pytest.raises(ValueError, match="no folder"):
            find_folder(missing)
    assert hub == {}


def test_a_failed_download_says_what_was_tried(hub):
    """A name that is meant as a folder, and an error about the network."""
    with pytest.raises(ValueError, match=r"no folder no/such.*404"):
        find_folder("no/such")


def test_the_missing_library_is_named(monkeypatch):
    """An ImportError from deep inside instead of what to install."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r'pip install "scratchlm\[hub\]"'):
        find_folder("me/model")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "x.json is missing"),
        (b"{", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 10**6, "cannot be read"),
        (b"[1]", "no object"),
    ],
)
def test_settings_that_are_none_are_refused(content, problem, tmp_path):
    """A file cut off half-way, or an interpreter that dies of its depth."""
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        read_settings(path)


def tensors_of(folder):
    problems = Problems()
    tensors = read_tensors(folder, "np", problems)
    return tensors, problems.found


@pytest.fixture
def shards(tmp_path):
    """Two files of weights and their index."""
    save_file({"a": np.ones(2, "f4")}, tmp_path / "1.safetensors")
    save_file({"b": np.ones(3, "f4")}, tmp_path / "2.safetensors")

    def index(**places):
        text = json.dumps({"weight_map": places})
        (tmp_path / "model.safetensors.index.json").write_text(text)
        return tmp_path

    return index


def test_shards_are_read_as_one(shards):
    """Only the first file."""
    folder = shards(a="1.safetensors", b="2.safetensors")
    tensors, problems = tensors_of(folder)
    assert problems == []
    assert {name: t.shape for name, t in tensors.items()} == {
        "a": (2,),
        "b": (3,),
    }


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ({"a": "2.safetensors"}, "2.safetensors lacks a"),
        ({"a": "3.safetensors"}, "3.safetensors missing"),
        ({"a": "../1.safetensors"}, "names ../1.safetensors"),
        ({"a": "..\\1.safetensors"}, "only safetensors files beside it"),
        ({"a": "1.bin"}, "names 1.bin"),
        ({"a": 1}, "no weight_map"),
    ],
)
def test_an_index_that_lies_is_refused(shards, places, problem):
    """A file elsewhere on the disk, read because a download said so."""
    assert problem in tensors_of(shards(**places))[1][0]


@pytest.mark.parametrize("single", [True, False])
def test_a_folder_without_tensors_is_told(shards, single):
    """An error about an empty sequence, from deep inside the loader."""
    folder = shards()
    if single:
        save_file({}, folder / "model.safetensors")
    tensors, problems = tensors_of(folder)
    assert tensors == {}
    assert "there are no tensors" in problems[0]


def test_a_model_without_tensors_is_refused(edited):
    """An error from deep inside, and none of the other problems."""
    folder = edited("llama3", hidden_act="gelu")
    save_file({}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"(?s)no tensors.*hidden_act"):
        hf.load(folder)


def test_an_index_tells_all_its_problems(shards):
    """The first missing file alone."""
    folder = shards(a="9.safetensors", b="/x.safetensors", c="8.safetensors")
    _, problems = tensors_of(folder)
    assert len(problems) == 2
    assert "8.safetensors, 9.safetensors missing" in problems[1]


def test_a_tensor_in_two_files_is_refused(shards, tmp_path):
    """The later file wins, and which is later depends on the names."""
    save_file({"a": np.zeros(2, "f4")}, tmp_path / "2.safetensors")
    folder = shards(a="1.safetensors", b="2.safetensors")
    _, problems = tensors_of(folder)
    assert "2.safetensors repeats a" in problems


@pytest.mark.parametrize("left", [0, 4, 20, -1])
def test_a_file_cut_short_is_named(tmp_path, left):
    """A download that broke off."""
    path = tmp_path / "model.safetensors"
    save_file({"a": np.ones(2, "f4")}, path)
    path.write_bytes(path.read_bytes()[:left])
    assert "model.safetensors cannot be read" in tensors_of(tmp_path)[1][0]


def test_a_pickle_is_not_opened(tmp_path):
    """torch.load on a file that a stranger wrote."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")
    problems = tensors_of(tmp_path)[1]
    assert "no model.safetensors" in problems[0]
    assert "pytorch_model.bin could run code" in problems[1]


def names_in(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_an_old_index_deletes_nothing_elsewhere(shards, tmp_path):
    """An index whose shards lie in the reader's home, and a save that clears
    away what belonged to it."""
    precious = tmp_path.parent / "precious.safetensors"
    precious.write_text("mine")
    shards(a="1.safetensors", b="../precious.safetensors")
    with replacing(tmp_path, weights_in(tmp_path)) as stage:
        (stage / "model.safetensors").write_text("new")
    assert precious.read_text() == "mine"
    assert sorted(names_in(tmp_path)) == [
        "2.safetensors",
        "model.safetensors",
    ]
