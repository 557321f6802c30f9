"""What is shipped, against what training it again gives."""

import json
from importlib import util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "_retrain.py"
SHIPPED = {
    "recipe": "fake",
    "settings": {"n_steps": 3},
    "sha256": {},
    "tokens": 900,
    "held_out": [[300, 4.0], [900, 1.5]],
}


def loaded():
    """The script as a module of its own."""
    spec = util.spec_from_file_location("retrain", PATH)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def retrain(tmp_path, monkeypatch):
    """The script, with a shipped artifact and nothing that trains."""
    module = loaded()
    for name in ("fake", "other"):
        (tmp_path / "shipped" / name).mkdir(parents=True)
        manifest = json.dumps(SHIPPED | {"recipe": name})
        (tmp_path / "shipped" / name / "manifest.json").write_text(manifest)
    module.made = []

    def fake(name, folder):
        module.made.append((name, folder))
        return SHIPPED | {"recipe": name}

    monkeypatch.setattr(module, "retrained", fake)
    return module


def call(retrain, folder, *words):
    places = ["--shipped", folder / "shipped", "--folder", folder / "again"]
    return retrain.main([*map(str, places), *words])


def test_all_that_is_shipped_is_trained(retrain, tmp_path, capsys):
    """An artifact that nobody can make any more."""
    assert call(retrain, tmp_path) == 0
    assert retrain.made == [
        ("fake", tmp_path / "again"),
        ("other", tmp_path / "again"),
    ]
    shown = capsys.readouterr().out
    assert shown == "fake: as it is shipped\nother: as it is shipped\n"


def test_one_can_be_chosen(retrain, tmp_path, capsys):
    """An hour of training for a model that takes a minute."""
    assert call(retrain, tmp_path, "other") == 0
    assert [name for name, _ in retrain.made] == ["other"]
    assert call(retrain, tmp_path, "nothing") == 2
    assert "there is no such artifact" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"held_out": [[900, 1.53]]}, "held-out loss was 1.5000 and is 1.53"),
        ({"held_out": [[900, 1.47]]}, "held-out loss was 1.5000 and is 1.47"),
        ({"held_out": [[900, float("nan")]]}, "was 1.5000 and is nan"),
        ({"settings": {"n_steps": 4}}, "the recipe has other settings now"),
        ({"tokens": 899}, "it read 900 tokens, and now 899"),
    ],
)
def test_what_differs_is_said(retrain, tmp_path, capsys, change, said):
    """A recipe that has drifted away from the model that is shipped."""
    retrain.retrained = lambda name, folder: SHIPPED | change
    assert call(retrain, tmp_path, "fake") == 1
    assert said in capsys.readouterr().out


def test_another_rounding_is_no_difference(retrain):
    """A check that fails on each other processor."""
    again = SHIPPED | {"held_out": [[900, 1.509]]}
    assert retrain.differences(SHIPPED, again, 0.02) == []
    assert retrain.differences(SHIPPED, again, 0.005) != []


def test_a_run_is_trained_and_written(tmp_path):
    """A comparison of the shipped model with itself."""
    module, seen = loaded(), []

    class Recipe:
        class run:
            n_steps = 2

    module.make = lambda name: seen.append(name) or Recipe
    module.follow = lambda recipe, run: iter(range(2))
    module.publish = lambda recipe, run, folder: {"run": run, "in": folder}
    found = module.retrained("fake", tmp_path)
    assert seen == ["fake"]
    assert found == {
        "run": tmp_path / "fake",
        "in": tmp_path / "fake" / "model",
    }
