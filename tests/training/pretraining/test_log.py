"""A log that is killed, cut, resumed and read."""

import math
import os

import numpy as np
import pytest

from scratchlm.foundation import durable
from scratchlm.training.pretraining import log
from scratchlm.training.pretraining.log import RunLog, read_log

COLUMNS = ("step", "tokens", "loss", "seconds", "held_out")


def values_of(step, seconds=0.25):
    values = {"step": step, "tokens": 10 * step, "loss": 1 / (step + 3)}
    values["seconds"] = seconds
    if step % 4 == 0:
        values["held_out"] = math.exp(-step)
    return values


def write(path, steps, seconds=0.25, **options):
    with RunLog(path, COLUMNS, **options) as rows:
        for step in steps:
            rows.write(values_of(step, seconds))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.csv"


def test_what_is_written_is_read(path):
    """A loss that is rounded, and no comparison of two runs that are equal
    bit for bit; an empty cell that becomes zero."""
    write(path, range(6))
    assert (
        path.read_text().splitlines()[0] == "step,tokens,loss,seconds,held_out"
    )
    columns = read_log(path)
    assert list(columns) == [*COLUMNS]
    assert columns["step"].dtype == np.int64
    assert columns["step"].tolist() == list(range(6))
    assert columns["loss"].tolist() == [1 / (step + 3) for step in range(6)]
    measured = np.flatnonzero(~np.isnan(columns["held_out"]))
    assert measured.tolist() == [0, 4]
    assert columns["held_out"][4] == math.exp(-4)


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, -0.0, 1e-310]
)
def test_any_number_survives(path, value):
    """A run whose loss became infinite, and whose log cannot be read."""
    with RunLog(path, ("step", "loss", "skipped", "norm")) as rows:
        norm = np.float32(0.1)
        row = {"loss": value, "skipped": True, "norm": norm}
        rows.write({"step": 2**60, **row})
    columns = read_log(path)
    assert repr(float(columns["loss"][0])) == repr(value)
    assert columns["step"][0] == 2**60
    assert columns["skipped"][0] == 1
    assert np.float32(columns["norm"][0]) == np.float32(0.1)


def test_other_programs_read_it(path):
    """A file that only this program can read."""
    write(path, range(3))
    table = np.genfromtxt(path, delimiter=",", names=True)
    assert table.dtype.names == COLUMNS
    assert table["loss"].tolist() == read_log(path)["loss"].tolist()


@pytest.mark.parametrize("at", [0, 1, 5, 9, 10, 12])
@pytest.mark.parametrize("torn", [b"", b"10,1", b"10,100,0.07692307692307693"])
def test_a_resumed_log_is_that_of_one_run(tmp_path, path, at, torn):
    """Steps that are there twice after a resume; a row that a kill tore, to
    which the next row is glued."""
    whole = tmp_path / "whole.csv"
    write(whole, range(12))
    write(path, range(10))
    with path.open("ab") as file:
        file.write(torn)
    write(path, range(min(at, 10), 12), resumed_at=at)
    assert path.read_bytes() == whole.read_bytes()
    write(path, range(6, 12), resumed_at=6)  # and again
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("left", [b"", b"st", b"step,tokens,loss"])
def test_a_kill_in_the_header_is_mended(path, left):
    """A run killed at its first write, which can never go on."""
    path.write_bytes(left)
    write(path, range(2), resumed_at=0)
    assert read_log(path)["step"].tolist() == [0, 1]


def test_zeros_after_a_loss_of_power_are_dropped(path):
    """A file whose length reached the disk, and whose last bytes did not."""
    write(path, range(3))
    before = path.read_bytes()
    with path.open("ab") as file:
        file.write(bytes(100) + b"\n" + bytes(50))
    assert read_log(path)["step"].tolist() == [0, 1, 2]
    write(path, [], resumed_at=3)
    assert path.read_bytes() == before


def test_each_row_is_there_when_its_step_is_done(path):
    """A night of steps in a buffer when the machine goes down."""
    with RunLog(path, COLUMNS) as rows:
        for step in range(3):
            rows.write(values_of(step))
            assert read_log(path)["step"][-1] == step
        assert rows.path == path


def test_it_can_be_forced_to_the_disk(path, monkeypatch):
    """A checkpoint that survives a loss of power, and rows that do not."""
    with RunLog(path, COLUMNS) as rows:
        done = []
        monkeypatch.setattr(os, "fsync", done.append)
        rows.write(values_of(0))
        assert done == []
        rows.sync()
        assert len(done) == 1


def test_a_full_disk_leaves_whole_rows(path, files_at_most):
    """Half a row, to which the next one is glued when there is room again."""
    with RunLog(path, COLUMNS) as rows:
        rows.write(values_of(0))
        before = path.read_bytes()
        for room in (0, 5):
            with (
                files_at_most(len(before) + room),
                pytest.raises(OSError, match=r"large|space") as raised,
            ):
                rows.write(values_of(1))
            assert raised.value.filename == str(path)
            assert path.read_bytes() == before
        rows.write(values_of(1))
    assert read_log(path)["step"].tolist() == [0, 1]


def test_a_cut_that_fails_costs_no_row(path, monkeypatch):
    """A log written over in place, and lost when the disk is full."""
    write(path, range(5))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        RunLog(path, COLUMNS, resumed_at=3)
    assert path.read_bytes() == before


def test_a_run_does_not_write_into_the_log_of_another(path):
    """A second run by the same command, and two curves in one file."""
    write(path, range(3))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"holds the log of a run; resume"):
        RunLog(path, COLUMNS)
    with pytest.raises(
        ValueError, match=r"begins with 'step,tok.*'step,loss'"
    ):
        RunLog(path, ("step", "loss"), resumed_at=3)
    with path.open("ab") as file:
        file.write(b"three,30\n")
    with pytest.raises(ValueError, match=r"line 5 of .* begins with 'three'"):
        RunLog(path, COLUMNS, resumed_at=3)
    assert path.read_bytes() == before + b"three,30\n"


@pytest.mark.parametrize(
    "columns",
    [
        *((), ("loss",), ("loss", "step"), ("step", "loss", "loss")),
        *(("step", "a,b"), ("step", "a\nb")),
    ],
)
def test_columns_that_cannot_be_read_are_refused(path, columns):
    """A header with more names than the rows have cells."""
    with pytest.raises(ValueError, match="column"):
        RunLog(path, columns)
    assert not path.exists()


def test_a_name_that_is_no_column_is_an_error(path):
    """A value that vanishes, because of a slip in its name."""
    with RunLog(path, COLUMNS) as rows:
        with pytest.raises(ValueError, match=r"step, lossy does not .* loss"):
            rows.write({"step": 0, "lossy": 1.0})
        with pytest.raises(ValueError, match="the step is always needed"):
            rows.write({"loss": 1.0})
    assert len(read_log(path)["step"]) == 0


class Kept:
    def __init__(self):
        self.rows, self.closed = [], 0

    def __call__(self, step, values):
        self.rows.append((step, dict(values)))

    def close(self):
        self.closed += 1


def test_sinks_get_each_row_after_the_file(path):
    """A service that is told of None, or that costs a row when it fails."""
    kept = Kept()

    def fail(step, values):
        raise ConnectionError("no network")

    fail.close = kept.close
    with (
        RunLog(path, COLUMNS, sinks=[kept, fail]) as rows,
        pytest.raises(ConnectionError),
    ):
        rows.write({"step": 4, "loss": np.float64(0.5), "held_out": None})
    assert kept.rows == [(4, {"loss": 0.5})]
    assert kept.closed == 2
    assert read_log(path)["loss"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no log: its first line is ''"),
        ("loss,step\n1,2\n", "is no log: its first line is 'loss,step'"),
        ("step,loss,loss\n", "is no log"),
        ("step,loss\n0,1\n1,two\n", "line 3 of .* could not convert"),
        ("step,loss\n0\n", "line 2 of .* cannot be read"),
        ("step,loss\n0,1,2\n", "line 2 of .* cannot be read"),
        ("step,loss\n0,1\n\n", "line 3 of .* cannot be read"),
        ("step,loss\n0.5,1\n", "line 2 of .* invalid literal"),
        ("step,loss\n99999999999999999999,1\n", "line 2 of .* large"),
        ("step,loss\n5,1\n6,1\n5,1\n", "line 4 of .* step 5, after step 6"),
        ("step,l\udcff\n", "can't decode"),
    ],
)
def test_what_is_no_log_is_told_by_its_line(path, text, said):
    """A plot of a file that another program wrote, or a traceback."""
    path.write_bytes(text.encode("utf8", "surrogateescape"))
    with pytest.raises(ValueError, match=said) as raised:
        read_log(path)
    assert str(path) in str(raised.value)


def test_a_missing_log_is_an_error_of_the_user(tmp_path):
    """FileNotFoundError, and a reader who must guess which file is meant."""
    with pytest.raises(ValueError, match=r"no log .*run/log\.csv; give"):
        read_log(tmp_path / "run" / "log.csv")


def test_a_header_alone_is_a_log_without_rows(path):
    """A run that has made no step yet."""
    write(path, [])
    assert {name: len(each) for name, each in read_log(path).items()} == (
        dict.fromkeys([*COLUMNS], 0)
    )
    assert log.STEP == "step"
