"""Training from the shell: folders, messages, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scratchlm.cli import train as module
from scratchlm.cli.program import main
from scratchlm.cli.train import Watching, check_device
from scratchlm.recipes.registry import RECIPES
from scratchlm.training.pretraining.log import read_log

OPTIONS = (
    *("--megabytes", "0.3", "--vocab-size", "300", "--d-model", "64"),
    *("--n-layers", "1", "--batch-size", "2", "--no-progress"),
)
TRAIN = ("train", "python-source", *OPTIONS, "--n-steps", "6")


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(inside, capsys):
    """Call it with words: the exit code, and what the user was told."""

    def call(*words):
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:  # tyro's, for an option that is none
            code = ended.code
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def finished(run, inside, once):
    """A folder of a finished run, as its own copy."""

    def fill(folder):
        assert run(*TRAIN, "-o", str(folder))[0] == 0

    kept = once("finished-train-command", fill)
    subprocess.run(["cp", "-r", kept, inside / "done"], check=True)
    return inside / "done"


def losses(folder):
    return read_log(Path(folder) / "log.csv")["loss"].tolist()


@pytest.mark.slow  # PyTorch imports its compiler for the first optimizer
def test_the_recipes_are_listed_with_what_they_cost(run, capsys):
    """A list of names that says nothing."""
    assert main(["recipes"]) == 0
    shown = capsys.readouterr().out
    heads = [line for line in shown.splitlines() if line[0] != " "]
    assert heads == list(RECIPES)
    for word in ("parameters", "tokens", "FLOPs", "memory"):
        assert shown.count(f"    {word} ") == len(RECIPES)
    assert "124,439,808" in shown


def test_a_run_says_its_cost_and_writes_its_model(run, inside):
    """Hours of training that leave nothing to load."""
    code, said = run(*TRAIN, "-o", "out")
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == "train: python-source"
    words = [line.split()[0] for line in lines[1:6]]
    assert words == ["parameters", "tokens", "FLOPs", "memory", "time"]
    assert lines[-1] == "train: writing out/model"
    told = json.loads((inside / "out/run.json").read_text())
    assert told["recipe"] == "python-source"
    assert told["settings"]["n_steps"] == 6
    assert len(losses("out")) == 6
    assert len(list((inside / "out/checkpoints").glob("step-*"))) == 1
    assert (inside / "out/model/model.safetensors").is_file()


def test_the_folder_has_a_name_of_its_own(run, inside):
    """Files of a run all over the folder that one happens to be in."""
    assert run(*TRAIN)[0] == 0
    assert [p.name for p in inside.iterdir()] == ["runs"]
    assert (inside / "runs/python-source/model/manifest.json").is_file()


def test_the_same_command_again_finds_the_run_finished(run, finished):
    """A model that is trained again for an arrow key and return."""
    before = (finished / "model/manifest.json").read_bytes()
    for words in ((*TRAIN, "-o", "done"), ("resume", "done")):
        code, said = run(*words)
        assert code == 0
        assert said.splitlines()[-1] == (
            "train: this run is finished; its model is in done/model"
        )
        assert "time" not in said
    assert (finished / "model/manifest.json").read_bytes() == before


def test_a_model_that_was_not_written_is_written(run, finished):
    """A run that ended between its last step and its model."""
    subprocess.run(["rm", "-r", finished / "model"], check=True)
    code, said = run("resume", "done")
    assert code == 0
    assert said.splitlines()[-1] == "train: writing done/model"
    assert (finished / "model/manifest.json").is_file()


def test_other_settings_do_not_go_into_the_same_folder(run, finished):
    """Two runs in one log."""
    before = losses(finished)
    code, said = run(*TRAIN, "--seed", "1", "--lr", "0.5", "-o", "done")
    assert code == 2
    assert said == (
        "scratchlm: done is of a run with other settings: lr was 0.02 and is "
        "0.5; seed was 0 and is 1. Name another folder with -o, or go on "
        "with that run by: python -m scratchlm resume done\n"
    )
    assert losses(finished) == before


def test_another_recipe_does_not_go_into_the_same_folder(run, finished):
    """A model of one text that goes on with another."""
    code, said = run("train", "tinyworld-tiny", "-o", "done")
    assert code == 2
    assert said == (
        "scratchlm: done is of python-source, not of tinyworld-tiny; name "
        "another folder with -o\n"
    )


def test_a_dry_run_leaves_nothing(run, inside):
    """A folder that says it is of a run that nobody began."""
    code, said = run(*TRAIN, "--dry-run", "-o", "out")
    assert code == 0
    assert said.splitlines()[-1].split()[0] == "time"
    assert list(inside.iterdir()) == []


def test_a_dry_run_without_data_plans_all_but_the_time(run, inside):
    """Gigabytes to fetch before one knows whether they will be of use."""
    code, said = run("train", "gpt2-124m", "--dry-run", "--device", "cpu")
    assert code == 0
    assert "124,439,808" in said
    last = said.splitlines()[-1]
    assert last.startswith("  time unknown: there are no finished shards in")
    assert list(inside.iterdir()) == []


def test_a_run_without_data_leaves_nothing(run, inside):
    """A folder that refuses the settings that would have worked."""
    code, said = run("train", "gpt2-124m", "--device", "cpu")
    assert code == 2
    last = said.splitlines()[-1]
    assert last.startswith("scratchlm: there are no finished shards in data/")
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "name a recipe behind train: tinyworld-base, "),
        (["train", "nothing"], "there is no recipe 'nothing'; there are"),
        (["resume", "nowhere"], "there is no nowhere/run.json; give the"),
        ([*TRAIN, "--n-steps", "0"], "a run of 0 steps has no room"),
        ([*TRAIN, "--n-steps", "-4"], "a run of -4 steps has no room"),
        ([*TRAIN, "--batch-size", "0"], "batch_size is 0; give 1 or more"),
        ([*TRAIN, "--n-micro", "0"], "n_micro is 0; give 1 or more"),
        ([*TRAIN, "--n-micro", "3"], "batch_size is 2; give 3 or more"),
        ([*TRAIN, "--seed", "-1"], "seed is -1; give 0 or more"),
        ([*TRAIN, "--lr", "-1"], "a learning rate is -1.0; give a finite"),
        ([*TRAIN, "--lr", "nan"], "a learning rate is nan; give a finite"),
        ([*TRAIN, "--d-model", "100"], "d_model is 100; give a positive"),
        ([*TRAIN, "--n-layers", "0"], "n_layers is 0; use at least 1"),
        ([*TRAIN, "--vocab-size", "9"], "vocab_size is 9, but the 256 bytes"),
        ([*TRAIN, "--megabytes", "0"], "megabytes is 0.0; give a finite"),
        ([*TRAIN, "--dtype", "int8"], "int8"),
        ([*TRAIN, "--device", "nowhere"], "nothing can be trained on the"),
    ],
)
def test_a_mistake_takes_one_line_and_leaves_nothing(
    run, inside, words, message
):
    """A traceback, or a folder that refuses the command once it is right."""
    code, said = run(*words)
    assert code == 2
    last = said.splitlines()[-1]
    assert last.startswith("scratchlm: ")
    assert message in last
    assert "Traceback" not in said
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        [*TRAIN, "--steps", "3"],
        [*TRAIN, "--n-steps", "three"],
        ["train", "--n-steps", "3"],
        ["resume"],
        ["resume", "a", "b"],
    ],
)
def test_an_unknown_option_is_2(run, inside, words):
    """A run with other numbers than were asked for."""
    code, said = run(*words)
    assert code == 2
    assert "Traceback" not in said
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"recipe": "python-source", "settings": 3, "id": "x"}',
        '{"recipe": 3, "settings": {}, "id": "x"}',
        '{"recipe": "gone", "settings": {}, "id": "x"}',
        '{"recipe": "python-source", "settings": {"x": 1}, "id": "x"}',
        '{"recipe": "python-source", "settings": {"lr": "x"}, "id": "x"}',
    ],
)
def test_a_damaged_run_is_2(run, finished, text):
    """A traceback for a file that was altered by hand."""
    (finished / "run.json").write_text(text)
    code, said = run("resume", "done")
    assert code == 2
    assert said.splitlines()[-1].startswith("scratchlm: ")
    assert "Traceback" not in said


def test_a_file_is_no_folder(run, inside):
    """A traceback, or a file that is gone."""
    (inside / "out").write_text("mine")
    code, said = run(*TRAIN, "-o", "out")
    assert code == 2
    assert said.splitlines()[-1] == "scratchlm: out: File exists"
    assert (inside / "out").read_text() == "mine"


def test_a_run_that_diverges_says_so(run, inside):
    """A log of nan, and exit code 0."""
    code, said = run(*TRAIN, "--lr", "1e38", "-o", "out")
    assert code == 2
    last = said.splitlines()[-1]
    assert last.startswith("scratchlm: step ")
    assert "are not finite. Lower the learning rate" in last
    assert "checkpoint" in last
    assert not (inside / "out/model").exists()


class Signal:
    """A place for rows that sends a signal with one of them."""

    def __init__(self, number, step):
        self.number, self.step = number, step

    def __call__(self, step, values):
        if step == self.step:
            os.kill(os.getpid(), self.number)

    def close(self):
        """Nothing is open."""


@pytest.mark.parametrize("words", [("resume", "out"), (*TRAIN, "-o", "out")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_goes_on_to_the_bit(
    run, finished, monkeypatch, number, words
):
    """A run that a scheduler ends, and that begins anew or differently."""
    with monkeypatch.context() as during:
        sinks = (Signal(number, 2),)
        during.setattr(Watching, "sinks", lambda self, folder: sinks)
        code, said = run(*TRAIN, "-o", "out")
    assert code == 128 + number
    assert said.splitlines()[-1].startswith("scratchlm: the run in out was")
    assert 3 <= len(losses("out")) < 6
    assert not Path("out/model").exists()
    code, said = run(*words)
    assert code == 0
    assert "goes on after step" in said
    assert losses("out") == losses(finished)
    ours, wanted = (
        (Path(folder) / "model/model.safetensors").read_bytes()
        for folder in ("out", finished)
    )
    assert ours == wanted


@pytest.mark.slow  # imports PyTorch in a process of its own
def test_sigterm_ends_a_process_with_143(inside):
    """A scheduler that is told of a failure, or a run without checkpoint."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "scratchlm", "train", "python-source"),
            *(*OPTIONS, "--n-steps", "5000", "-o", "out"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    log = inside / "out/log.csv"
    while not log.exists() or log.read_text().count("\n") < 3:
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 143
    assert "it can be resumed" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert list((inside / "out/checkpoints").glob("step-*"))


def test_the_bar_goes_on_where_the_run_does(run, inside, finished):
    """A bar that begins at zero, or tells of no loss."""
    subprocess.run(["rm", "-r", finished / "model"], check=True)
    _, said = run("resume", "done")
    assert "6/6" in said
    shown = [word for word in TRAIN if word != "--no-progress"]
    code, said = run(*shown, "-o", "out")
    assert code == 0
    assert "6/6" in said
    assert "loss=" in said
    assert "held_out=" in said


def test_events_for_tensorboard_are_written_too(run, inside, monkeypatch):
    """An option that is read and not used."""
    made = []

    class Kept:
        def __init__(self, folder, resumed_at=None):
            made.append((folder, resumed_at, []))

        def __call__(self, step, values):
            made[-1][2].append(step)

        def close(self):
            """Nothing is open."""

    monkeypatch.setattr(
        "scratchlm.training.pretraining.sinks.TensorBoardSink", Kept
    )
    assert run(*TRAIN, "-o", "out", "--tensorboard")[0] == 0
    assert made == [(Path("out"), None, [*range(6)])]


def test_a_device_that_is_not_there_is_refused():
    """A traceback from the depth of PyTorch."""
    check_device("cpu")
    with pytest.raises(ValueError, match="on the device 'nowhere': "):
        check_device("nowhere")


@pytest.mark.parametrize("words", [["recipes"], TRAIN, ["train"]])
def test_without_pytorch_one_line_says_what_to_install(
    run, monkeypatch, words
):
    """An ImportError of whatever comes first."""
    monkeypatch.setitem(sys.modules, "torch", None)
    code, said = run(*words)
    assert code == 2
    assert "pip install" in said
    assert said.count("\n") == 1


def test_help_of_a_recipe_names_its_options(inside, capsys):
    """Options that only the code knows."""
    with pytest.raises(SystemExit) as ended:
        main(["train", "tinyworld-tiny", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--n-steps" in shown
    assert "of the run" in shown
    assert "Example: python -m scratchlm train tinyworld-tiny" in shown
    assert module.Train.__doc__
