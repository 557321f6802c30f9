"""Services that are played, with the signatures of the real ones."""

import sys
import types
from pathlib import Path

import pytest

from scratchlm.training.pretraining.log import RunLog
from scratchlm.training.pretraining.sinks import TensorBoardSink, WandbSink

calls = []


class SummaryWriter:
    """As torch.utils.tensorboard 2.6 to 2.13 has it."""

    def __init__(  # noqa: PLR0917
        self,
        log_dir=None,
        comment="",
        purge_step=None,
        max_queue=10,
        flush_secs=120,
        filename_suffix="",
    ):
        calls.append(("writer", log_dir, purge_step))

    def add_scalar(  # noqa: PLR0917
        self,
        tag,
        scalar_value,
        global_step=None,
        walltime=None,
        new_style=False,
        double_precision=False,
    ):
        calls.append((tag, scalar_value, global_step))

    def close(self):
        calls.append("closed")


class Run:
    """As wandb 0.18 and later have it."""

    def log(self, data, step=None, commit=None):
        assert isinstance(data, dict)
        calls.append((data, step))

    def finish(self, exit_code=None, quiet=None):
        calls.append("finished")


def init(  # noqa: PLR0917
    entity=None,
    project=None,
    dir=None,
    id=None,
    name=None,
    config=None,
    mode=None,
    resume=None,
):
    calls.append((project, dir, id, name, config, resume))
    return Run()


@pytest.fixture(autouse=True)
def no_calls():
    calls.clear()


def play(monkeypatch, name, **contents):
    module = types.ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def test_tensorboard_gets_each_value(tmp_path, monkeypatch):
    """An argument under a name that the real writer does not have; steps
    that are drawn twice after a resume."""
    play(monkeypatch, "torch.utils.tensorboard", SummaryWriter=SummaryWriter)
    sink = TensorBoardSink(tmp_path / "board", resumed_at=7)
    columns = ("step", "loss", "norm", "held_out")
    with RunLog(tmp_path / "log.csv", columns, sinks=[sink]) as rows:
        rows.write({"step": 7, "loss": 0.5, "norm": 2.0, "held_out": None})
    assert calls == [
        ("writer", str(tmp_path / "board"), 7),
        *(("loss", 0.5, 7), ("norm", 2.0, 7), "closed"),
    ]


@pytest.mark.parametrize(("run", "resume"), [(None, None), ("a1", "allow")])
def test_wandb_gets_each_row(tmp_path, monkeypatch, run, resume):
    """A run that goes on as a second run, or one row for each value."""
    play(monkeypatch, "wandb", init=init)
    sink = WandbSink(
        "book", name="tiny", folder=tmp_path, about={"d_model": 64}, run=run
    )
    with RunLog(tmp_path / "log.csv", ("step", "loss"), sinks=[sink]) as rows:
        rows.write({"step": 7, "loss": 0.5})
    begun = ("book", str(tmp_path), run, "tiny", {"d_model": 64}, resume)
    assert calls == [begun, ({"loss": 0.5}, 7), "finished"]
    WandbSink("book")
    assert calls[-1] == ("book", None, None, None, None, None)


@pytest.mark.parametrize(
    ("module", "extra", "make"),
    [
        (
            *("torch.utils.tensorboard", "tensorboard"),
            lambda: TensorBoardSink(Path("board")),
        ),
        ("wandb", "wandb", lambda: WandbSink("book")),
    ],
)
def test_a_service_that_is_missing_is_told(monkeypatch, module, extra, make):
    """ModuleNotFoundError after an hour of preparing data."""
    monkeypatch.setitem(sys.modules, module, None)
    advice = rf'pip install "scratchlm\[{extra}\]", or read log.csv'
    with pytest.raises(ValueError, match=advice):
        make()
