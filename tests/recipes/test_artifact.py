"""A model that was written, and what stands beside it."""

import json
import shutil
from importlib import import_module

import pytest
import torch

from scratchlm.foundation.durable import sha256_of
from scratchlm.recipes.artifact import (
    FIRST,
    artifact,
    load_artifact,
    publish,
    read_manifest,
)
from scratchlm.recipes.following import follow
from scratchlm.training.pretraining import Training, read_log
from scratchlm.training.pretraining.loop import resume

# The face of the folder has a function of this name.
MODULE = import_module("scratchlm.recipes.artifact")


@pytest.fixture
def published(small_recipe, finished, once):
    """The artifact of the small recipe; to be read, not to be changed."""
    return once(
        "published-small",
        lambda folder: publish(small_recipe, finished, folder),
    )


@pytest.fixture
def altered(published, tmp_path):
    """A copy that may be changed."""
    return shutil.copytree(published, tmp_path / "copy")


def test_the_model_is_the_one_that_was_trained(
    small_recipe, finished, published
):
    """Weights of another step, or norms in another type."""
    training = Training(small_recipe.run)
    resume(training, finished)
    model = training.model.half().float().eval()
    found = load_artifact(published)
    tokens = torch.arange(60).reshape(2, 30)
    with torch.no_grad():
        torch.testing.assert_close(
            found.model(tokens), model(tokens), rtol=0, atol=0
        )
    assert not found.model.training
    assert {p.dtype for p in found.model.parameters()} == {torch.float32}
    assert found.folder == published


def test_the_tokenizer_is_the_one_that_was_trained_with(
    small_recipe, published
):
    """Ids of another vocabulary, which the model reads as noise."""
    found = load_artifact(published).tokenizer
    ours = small_recipe.tokenizer()
    text = "def f(x):\n    return x + 12<|endoftext|>"
    ids = ours.encode(text, allowed_special="all")
    assert found.encode(text, allowed_special="all") == ids
    assert found.special_tokens == ours.special_tokens


def test_the_manifest_says_how_it_came_about(
    small_recipe, finished, published
):
    """A number without the settings, the machine or the commit behind it."""
    found = read_manifest(published)
    log = read_log(finished / "log.csv")
    assert found["recipe"] == "small"
    assert found["settings"] == small_recipe.run.about()
    assert found["torch"] == torch.__version__
    assert found["tokens"] == log["tokens"][-1]
    assert found["skipped"] == 0
    assert found["first_losses"] == log["loss"][:FIRST].tolist()
    assert found["losses"] == [
        [int(tokens), float(loss)]
        for tokens, loss in zip(log["tokens"], log["loss"], strict=True)
    ]
    assert found["held_out"][-1] == [
        int(log["tokens"][-1]),
        float(log["held_out"][-1]),
    ]
    assert found.keys() >= {"commit", "date", "device", "threads", "seconds"}
    files = {p.name for p in published.iterdir()} - {"manifest.json"}
    assert found["sha256"].keys() == files
    for name in files:
        assert found["sha256"][name] == sha256_of(published / name)


def test_the_report_is_of_the_weights_as_written(
    small_recipe, finished, published
):
    """A loss measured before rounding, which nobody finds again."""
    loaded = load_artifact(published)
    again = small_recipe.report(loaded.model, loaded.tokenizer)
    assert loaded.manifest["report"] == pytest.approx(again, rel=1e-6)
    last = read_log(finished / "log.csv")["held_out"][-1]
    assert loaded.manifest["report"]["bits_per_byte"] == pytest.approx(
        last, abs=1e-3
    )


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "config.json"]
)
def test_an_altered_file_is_named(altered, name):
    """A model that someone else's file has become part of."""
    path = altered / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"{name} is not the file that"):
        load_artifact(altered)


def test_a_missing_file_is_named(altered):
    """A traceback for half a copy."""
    (altered / "config.json").unlink()
    with pytest.raises(ValueError, match=r"config\.json is not the file that"):
        load_artifact(altered)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "names no recipe or no files"),
        ('{"recipe": "x"}', "names no recipe or no files"),
        ('{"recipe": "x", "sha256": 3}', "names no recipe or no files"),
    ],
)
def test_a_manifest_of_something_else_is_refused(altered, text, message):
    """A KeyError for a file that was cut off."""
    (altered / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_artifact(altered)


def test_a_folder_without_manifest_is_refused(tmp_path):
    """A folder that transformers could load, of unknown origin."""
    with pytest.raises(ValueError, match=r"there is no .*manifest\.json"):
        read_manifest(tmp_path)


def test_an_unfinished_run_is_not_published(small_recipe, tmp_path):
    """A model of the third step under the name of the sixth."""
    with pytest.raises(ValueError, match="has done 0 of 6 steps; resume"):
        publish(small_recipe, tmp_path / "run", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_an_artifact_is_made_where_there_is_none(
    small_recipe, tmp_path, monkeypatch
):
    """A page that needs a model and asks the reader to train it first."""
    made = artifact("small", folder=tmp_path)
    assert made.folder == tmp_path / "small"
    assert made.manifest["recipe"] == "small"

    def again(*given):
        raise AssertionError("it was trained again")

    monkeypatch.setattr(MODULE, "follow", again)
    assert artifact("small", folder=tmp_path).manifest == made.manifest
    # A shipped one is found before one that was made.
    monkeypatch.setattr(MODULE, "SHIPPED", tmp_path)
    monkeypatch.setattr(MODULE, "MADE", tmp_path / "nowhere")
    assert artifact("small").folder == tmp_path / "small"
    with pytest.raises(AssertionError, match="again"):
        artifact("small", folder=tmp_path / "nowhere")


def test_an_unknown_artifact_is_answered_by_the_recipes(tmp_path):
    """A folder that is made for a slip in a name."""
    with pytest.raises(ValueError, match="no recipe 'smal'"):
        artifact("smal", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_long_run_draws_a_curve_of_some_points(
    small_recipe, tmp_path, monkeypatch
):
    """A manifest of megabytes."""
    monkeypatch.setattr(MODULE, "DRAWN", 3)
    for _ in follow(small_recipe, tmp_path / "run"):
        pass
    found = publish(small_recipe, tmp_path / "run", tmp_path / "model")
    assert len(found["losses"]) == 3
    assert json.loads((tmp_path / "model/manifest.json").read_text()) == found
