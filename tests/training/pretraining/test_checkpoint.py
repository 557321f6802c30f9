"""Checkpoints that are killed, damaged, mixed up, and loaded all the same."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from scratchlm.foundation import durable
from scratchlm.training.pretraining import (
    Checkpoint,
    checkpoint,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)

ABOUT = {"d_model": 8, "rope": {"base": 10_000.0}}
FILES = ["model.safetensors", "optimizer.safetensors", "state.json"]


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    """The order of writes is tested elsewhere; disks take their time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def state_of(step):
    dice = torch.Generator().manual_seed(step)  # readers have their own
    shapes = {"block.0.w": (4, 8), "head.w": (8,)}
    weights = {n: torch.randn(s, generator=dice) for n, s in shapes.items()}
    moments = {i: {"m": each + 1} for i, each in enumerate(weights.values())}
    return {
        "model": weights,
        "optimizer": {"state": moments, "param_groups": [{"params": (0, 1)}]},
        "loop": {"tokens": 2**60 + step, "loss": float("inf")},
    }


def save(folder, *steps, **options):
    for step in steps:
        save_checkpoint(folder, step, state_of(step), about=ABOUT, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("about", [None, ABOUT])
def test_what_is_saved_is_loaded(tmp_path, equal, about):
    """A part of the state that the next run begins without."""
    path = save_checkpoint(tmp_path / "new", 500, state_of(500), about=ABOUT)
    assert path == tmp_path / "new" / "step-00000500"
    assert names(path) == ["manifest.json", *FILES]
    found = load_checkpoint(tmp_path / "new", about=about)
    assert isinstance(found, Checkpoint)
    assert (found.step, found.path) == (500, path)
    assert equal(found.state, state_of(500))


def test_other_programs_read_the_weights(tmp_path):
    """Weights under names that only this program knows."""
    save(tmp_path, 1)
    weights = load_file(tmp_path / "step-00000001" / "model.safetensors")
    assert weights.keys() == state_of(1)["model"].keys()
    for name, weight in state_of(1)["model"].items():
        assert torch.equal(weights[name], weight)


def test_the_manifest_tells_what_the_tools_tell(tmp_path):
    """A hash that nobody can check with sha256sum."""
    save(tmp_path, 7)
    folder = tmp_path / "step-00000007"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["step"] == 7
    assert manifest["about"] == ABOUT
    assert sorted(manifest["files"]) == FILES
    for name, told in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert told["bytes"] == len(data)
        assert told["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_newest_are_kept(tmp_path):
    """A disk that fills in a night; the newest that is thrown away, since
    its name sorts before that of an older one."""
    save(tmp_path, 9, 10, 99, 100, keep=3)
    assert [step for step, _ in checkpoints(tmp_path)] == [10, 99, 100]
    save(tmp_path, 200_000_000, 1_000_000_000, keep=2)
    steps = [step for step, _ in checkpoints(tmp_path)]
    assert steps == [200_000_000, 1_000_000_000]
    assert load_checkpoint(tmp_path).step == 1_000_000_000
    assert checkpoints(tmp_path / "missing") == []


def test_a_later_checkpoint_is_told_and_stays(tmp_path):
    """A run that begins again in the folder of an old one, saves step 100,
    removes it at once as older than the old run's last two, and is resumed
    from that run's end."""
    save(tmp_path, 900, 1000)
    with pytest.warns(UserWarning, match="step 1000, later than the 100"):
        save(tmp_path, 100)
    assert [step for step, _ in checkpoints(tmp_path)] == [100, 900, 1000]


def test_one_step_may_be_saved_twice(tmp_path, equal):
    """A run that resumes, comes to the same step, and cannot save it."""
    save(tmp_path, 1, 2)
    save_checkpoint(tmp_path, 2, {"model": {}, "again": True}, about=ABOUT)
    found = load_checkpoint(tmp_path)
    assert equal(found.state, {"model": {}, "again": True})
    assert names(tmp_path) == [".lock", "step-00000001", "step-00000002"]


def test_a_new_folder_reaches_the_disk(tmp_path, monkeypatch):
    """Checkpoints forced to the disk, in a folder whose own name is not
    there after a loss of power."""
    synced = []
    monkeypatch.setattr(checkpoint, "sync_folder", synced.append)
    save(tmp_path / "run" / "checkpoints", 1, 2)
    assert synced == [tmp_path / "run"]


def truncate(path):
    os.truncate(path, path.stat().st_size - 3)


def alter(path):
    data = bytearray(path.read_bytes())
    data[-4] ^= 1
    path.write_bytes(data)


def lengthen(path):
    with path.open("ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", [truncate, alter, lengthen, Path.unlink])
def test_a_damaged_one_is_told_and_the_one_before_taken(
    tmp_path, equal, name, damage
):
    """Weights of noise after a crash of the disk, from which a run goes on;
    or a run that cannot go on, with a good checkpoint beside the bad one."""
    save(tmp_path, 1, 2)
    damage(tmp_path / "step-00000002" / name)
    with pytest.warns(UserWarning, match=f"step-00000002: {name}.*step 1 is"):
        found = load_checkpoint(tmp_path, about=ABOUT)
    assert found.step == 1
    assert equal(found.state, state_of(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(tmp_path, 2)  # the run comes to the same step, and mends it
        assert load_checkpoint(tmp_path).step == 2


def test_what_does_not_belong_there_is_not_read(tmp_path, equal):
    """A file that was put beside the others, and is taken for a part of the
    state; a folder of the user's that is taken for a checkpoint."""
    save(tmp_path, 1)
    (tmp_path / "step-00000001" / "extra.safetensors").write_bytes(b"no")
    (tmp_path / "step-00000001" / ".DS_Store").write_bytes(b"")
    (tmp_path / "step-2").mkdir()
    (tmp_path / "my-step-00000003").mkdir()
    (tmp_path / "step-00000004").write_text("a file")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_checkpoint(tmp_path)
    assert found.step == 1
    assert equal(found.state, state_of(1))


def test_a_checkpoint_under_another_step_is_damaged(tmp_path):
    """A copy under a later name that counts as later."""
    save(tmp_path, 1, 2)
    (tmp_path / "step-00000002").rename(tmp_path / "step-00000003")
    with pytest.warns(UserWarning, match="says that this is step 2"):
        assert load_checkpoint(tmp_path).step == 1


def test_none_that_is_whole_is_told_with_each_fault(tmp_path):
    """A run that begins from nothing since its checkpoints are broken."""
    with pytest.raises(ValueError, match="there is no checkpoint in"):
        load_checkpoint(tmp_path)
    save(tmp_path, 1, 2)
    truncate(tmp_path / "step-00000001" / "state.json")
    alter(tmp_path / "step-00000002" / "model.safetensors")
    faults = (
        r"step-00000002: model\.safetensors has been altered; "
        r"step-00000001: state\.json has \d+ of \d+ bytes"
    )
    with pytest.raises(ValueError, match=faults):
        load_checkpoint(tmp_path)


def with_true_hashes(folder, step):
    files = {
        name: {
            "bytes": (folder / name).stat().st_size,
            "sha256": durable.sha256_of(folder / name),
        }
        for name in FILES
    }
    manifest = checkpoint.manifest_of(step, {}, files)
    (folder / "manifest.json").write_bytes(manifest)


@pytest.mark.parametrize(
    "state",
    [
        b"[]",
        b"{",
        b'{"../../etc/passwd": 1, "model": {"$tensor": "gone"}}',
        b'{"model": {"$tensor": "gone"}}',
        b'{"model": {"$call": "os.system"}}',
        b'{"model": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_state_of_another_hand_is_damaged(tmp_path, state):
    """A checkpoint with true hashes and a state that nothing of ours wrote:
    an error that no caller expects, or worse, one that is believed."""
    save(tmp_path, 1)
    folder = tmp_path / "step-00000001"
    (folder / "state.json").write_bytes(state)
    with_true_hashes(folder, 1)
    with pytest.raises(ValueError, match=r"no checkpoint .*cannot be read"):
        load_checkpoint(tmp_path)


def test_another_architecture_is_told_by_its_keys(tmp_path):
    """Weights of a model of another width, found out by a shape somewhere
    in load_state_dict; or of the same shapes and another rotation, never."""
    save(tmp_path, 1, 2)
    other = {"d_model": 8, "rope": {"base": 500_000.0}}
    told = r"rope\.base is 10000\.0 there and 500000\.0 here"
    with pytest.raises(ValueError, match=told):
        load_checkpoint(tmp_path, about=other)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"another run: {told}"):
        save_checkpoint(tmp_path, 3, state_of(3), about=other)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("state", "options", "said"),
    [
        ({"model": {"w": object()}}, {}, r"model\['w'\] is of the type obj"),
        ({"../model": {}}, {}, r"named '\.\./model'"),
        ({"Model": {}}, {}, "small letters"),
        ({"model": {}}, {"keep": 0}, "keep is 0"),
        ({"model": {}}, {"about": {"w": torch.ones(1)}}, "about holds"),
    ],
)
def test_what_cannot_be_saved_changes_nothing(tmp_path, state, options, said):
    """A slip in an argument that costs the checkpoint before."""
    save(tmp_path, 1, 2)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=said):
        save_checkpoint(tmp_path, 3, state, **{"about": ABOUT, **options})
    with pytest.raises(ValueError, match="step -1"):
        save(tmp_path, -1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize(
    ("size", "name"),
    list(zip([0, 330, 400, 560], [*FILES, "manifest.json"], strict=True)),
)
def test_a_full_disk_costs_nothing(tmp_path, files_at_most, step, size, name):
    """Half a checkpoint under a good name, or the older ones removed to make
    room for one that did not fit; an error that does not say what was being
    written, or that comes from closing the file."""
    save(tmp_path, 1, 2)
    before = contents(tmp_path)
    with files_at_most(size), pytest.raises(OSError, match="too large") as e:
        save(tmp_path, step)
    path = tmp_path / f"step-{step:08d}"
    assert e.value.filename == str(path / name)
    assert e.value.strerror.endswith(f"{path.name} was not saved")
    assert contents(tmp_path) == before
    assert len(names(tmp_path)) == 3


@pytest.mark.parametrize("last", range(12))
@pytest.mark.parametrize("step", [2, 3])
def test_an_error_at_any_moment_leaves_the_old_or_the_new(
    tmp_path, monkeypatch, equal, step, last
):
    """A disk that fails between two renames, after which neither the old
    checkpoint nor the new one has a name."""
    save(tmp_path, 1, 2)
    calls = []

    def failing(function):
        def called(*given, **options):
            calls.append(function.__name__)
            if len(calls) == last + 1:
                raise OSError(5, "Input/output error")
            return function(*given, **options)

        return called

    for name in ("rename", "replace"):
        monkeypatch.setattr(Path, name, failing(getattr(Path, name)))
    monkeypatch.setattr(os, "fsync", failing(os.fsync))
    with pytest.raises(OSError, match=rf"step-0000000{step} was ") as raised:
        save(tmp_path, step)
    assert raised.value.filename.startswith(str(tmp_path))
    monkeypatch.undo()
    found = load_checkpoint(tmp_path)
    assert equal(found.state, state_of(found.step))
    assert found.step in (2, step)
    save(tmp_path, 4)
    assert len(names(tmp_path)) == 3


def test_an_old_one_that_cannot_go_is_no_loss(tmp_path, monkeypatch):
    """A message that the step was not saved, when it was."""
    save(tmp_path, 1, 2)

    def refuse(path):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(checkpoint, "remove_folder", refuse)
    with pytest.raises(OSError, match=r"step-00000003 was saved, and older"):
        save(tmp_path, 3)
    assert load_checkpoint(tmp_path).step == 3


def test_two_runs_cannot_save_into_one_folder(tmp_path, held):
    """Two runs by mistake, each of which clears the other's files away."""
    save(tmp_path, 1, 2)
    before = contents(tmp_path)
    with held(tmp_path):
        with pytest.raises(ValueError, match="another process is writing"):
            save(tmp_path, 3)
        assert contents(tmp_path) == before
        assert load_checkpoint(tmp_path).step == 2  # to read is allowed
    save(tmp_path, 3)


def test_a_reader_beside_a_run_finds_it_whole(tmp_path, equal):
    """An evaluation that loads while the run saves, and is told that the
    checkpoint is damaged which the run has just removed or replaced."""
    save(tmp_path, 1)

    def run():
        for step in range(2, 40):
            save(tmp_path, step, step, keep=1)

    thread = threading.Thread(target=run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thread.start()
        try:
            while thread.is_alive():
                found = load_checkpoint(tmp_path)
                assert equal(found.state, state_of(found.step))
        finally:
            thread.join()
    assert load_checkpoint(tmp_path).step == 39


def test_bytes_are_hashed_as_they_are_written(tmp_path, monkeypatch):
    """A model of gigabytes that is read again for its hash."""
    monkeypatch.setattr(durable, "sha256_of", None)
    monkeypatch.setattr(Path, "read_bytes", None)
    save(tmp_path, 1)


@pytest.mark.slow  # a process imports PyTorch, and is copied 110 times
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    """A checkpoint that is half of one, or none, after kill -9, a loss of
    power, or the end of a job's time."""
    script = Path(__file__).with_name("killed_saves.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "run")],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report) == 3
    for kills, new in report.values():
        assert kills >= 30
        assert 0 < new <= kills
