"""An experiment runs once, and again as soon as anything that decides it
has changed."""

import os
import random
from dataclasses import dataclass
from functools import partial

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from scratchlm.book import experiments
from scratchlm.book.experiments import experiment
from scratchlm.text.tokenizer.merging import MergeRules

RUNS = []
FACTOR = 2


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "FOLDER", tmp_path / "kept")
    return tmp_path / "kept"


def doubled(x):
    return FACTOR * x


@experiment
def measured(x, *, power=1):
    os.environ["SCRATCHLM_RUNS"] = f"{os.environ['SCRATCHLM_RUNS']}x"
    return {"x": doubled(x) ** power, "curve": np.arange(3.0)}


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.setenv("SCRATCHLM_RUNS", "")
    return lambda: len(os.environ["SCRATCHLM_RUNS"])


def test_the_second_call_reads_what_the_first_returned(runs):
    """nbval's pass would train every model once more."""
    first, second = measured(3), measured(3)
    assert first["x"] == second["x"] == 6
    assert np.array_equal(first["curve"], second["curve"])
    assert runs() == 1
    assert measured(x=3, power=1)["x"] == 6
    assert runs() == 1


@pytest.mark.parametrize(
    "again",
    [
        lambda: measured(4),
        lambda: measured(3, power=2),
        lambda: measured(np.array(3)),
        lambda: measured(3.0),
        lambda: measured(True),
    ],
)
def test_other_arguments_are_another_experiment(runs, again):
    """3 and 3.0 and True are equal, and print differently."""
    measured(3)
    again()
    assert runs() == 2


def test_a_changed_value_or_function_of_the_page_runs_it_again(
    runs, monkeypatch
):
    """The constant stands in another cell, and so does the function."""
    assert measured(3)["x"] == 6
    monkeypatch.setitem(globals(), "FACTOR", 5)
    assert measured(3)["x"] == 15
    monkeypatch.setitem(globals(), "doubled", lambda x: -x)
    assert measured(3)["x"] == -3
    assert runs() == 3


def test_a_damaged_result_is_computed_again(runs, folder):
    """A killed build leaves no half result; a full disk may."""
    measured(3)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:40])
    assert measured(3)["x"] == 6
    assert runs() == 2


@dataclass(frozen=True)
class Settings:
    """Arguments of a page."""

    make: object = partial(MergeRules, whole_pieces=True)
    width: int = 3


@experiment
def with_settings(settings):
    return settings.width


def test_dataclasses_partials_and_classes_may_be_arguments(folder):
    """A model's configuration holds the classes of its parts."""
    paths = {
        with_settings.path(each)
        for each in (
            Settings(),
            Settings(),
            Settings(width=4),
            Settings(make=MergeRules),
            Settings(make=partial(MergeRules, whole_pieces=False)),
        )
    }
    assert len(paths) == 4


def test_modules_of_ours_that_it_uses_decide_too(monkeypatch):
    """The key must not forget the code under test."""

    class Watched:
        def digest(self, modules):
            return " ".join(sorted(modules))

    class Other(Watched):
        def digest(self, modules):
            return super().digest(modules) + "changed"

    monkeypatch.setattr(experiments, "own_sources", Watched)
    before = with_settings.path(Settings())
    assert before == with_settings.path(Settings())
    monkeypatch.setattr(experiments, "own_sources", Other)
    assert before != with_settings.path(Settings())


def test_what_is_not_plain_is_named():
    """A model of another cell has no key, and its training is not in the
    source of the experiment."""
    model = object()

    @experiment
    def uses_a_model():
        return model

    @experiment
    def returns_a_model():
        return {1, 2}

    with pytest.raises(ValueError, match=r"uses model of the page.*object"):
        uses_a_model()
    with pytest.raises(ValueError, match="a set cannot be kept"):
        returns_a_model()


def test_only_the_newest_results_stay(folder, monkeypatch):
    """Each edit of a page leaves a result behind."""
    monkeypatch.setattr(experiments, "KEPT", 2)
    for width in range(4):
        path = with_settings.path(Settings(width=width))
        with_settings(Settings(width=width))
        os.utime(path, (width, width))
    assert len(list(folder.iterdir())) == 2
    assert path.exists()


def test_draws_behind_it_are_the_same_whether_it_ran_or_not():
    """The second pass of a page printed other numbers than the first."""

    @experiment
    def draws():
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(1)
        return random.random() + np.random.rand() + torch.rand(1).item()

    seen = set()
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        draws()
        seen.add((random.random(), np.random.rand(), torch.rand(1).item()))
    assert len(seen) == 1


CELLS = [
    "from pathlib import Path\n"
    "from scratchlm.book import experiments\n"
    "experiments.FOLDER = Path('kept')",
    "class Net:\n    def size(self):\n        return WIDTH\nWIDTH = 3",
    "@experiments.experiment\n"
    "def size(n):\n"
    "    print('runs', file=open('runs', 'a'))\n"
    "    return n * Net().size()",
    "assert size(2) == 2 * WIDTH\nassert size(2) == 2 * WIDTH",
]


def run_cells(folder, cells):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, resources=resources).execute()
    return (folder / "runs").read_text().count("runs")


def test_in_a_notebook_the_cells_are_the_page(tmp_path):
    """inspect does not find the source of a class that a cell defines, and
    each kernel gives its cells other file names."""
    assert run_cells(tmp_path, CELLS) == 1
    assert run_cells(tmp_path, CELLS) == 1
    wider = [cell.replace("WIDTH = 3", "WIDTH = 4") for cell in CELLS]
    assert run_cells(tmp_path, wider) == 2
    other = [
        cell.replace("return WIDTH", "return 1 * WIDTH") for cell in CELLS
    ]
    assert run_cells(tmp_path, other) == 3
