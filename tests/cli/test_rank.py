"""One process of a launched run."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from scratchlm.cli.checkpoint import find_checkpoint, load_speaker
from scratchlm.cli.rank import fitted, main
from scratchlm.recipes.registry import make
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.training.pretraining.log import read_log
from scratchlm.training.pretraining.loop import train


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "0 words were given; give the folder of a run"),
        (["a", "b"], "2 words were given"),
        (["nowhere"], "there is no nowhere/launch.json"),
    ],
)
def test_a_mistake_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    """A traceback of each rank, of which a screen shows the last."""
    monkeypatch.chdir(tmp_path)
    assert main(words, {}) == 2
    said = capsys.readouterr().err
    assert said.startswith("scratchlm: ")
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("mesh", "world", "found"),
    [
        (Mesh(dp=4), 3, Mesh(dp=3)),
        (Mesh(dp=2, tp=2), 2, Mesh(tp=2)),
        (Mesh(dp=2, tp=2, pp=2), 16, Mesh(dp=4, tp=2, pp=2)),
        (Mesh(dp=4, ep=2), 2, Mesh(dp=2, ep=2)),
    ],
)
def test_fewer_ranks_share_the_rows(mesh, world, found):
    """A run that cannot go on with the nodes that are left."""
    assert fitted(mesh, world) == found


@pytest.mark.parametrize(
    ("mesh", "world", "message"),
    [
        (Mesh(dp=2, tp=4), 6, "6 ranks are there .* start a multiple of 4"),
        (Mesh(dp=4, ep=2, tp=2), 6, "start a multiple of 4"),
    ],
)
def test_ranks_that_no_mesh_has_room_for_are_refused(mesh, world, message):
    """Ranks that would wait for others that never come."""
    with pytest.raises(ValueError, match=message):
        fitted(mesh, world)


WORDS = ("launch", "tinyworld-tiny", "-o", "out", "--n-steps", "24")


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "scratchlm", *WORDS, *words],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow  # torchrun and its ranks import PyTorch, and that twice
def test_a_launched_run_ends_when_asked_and_goes_on_otherwise(tmp_path):
    """A launcher that takes the ranks along before they have written, a mesh
    that cannot read the other's checkpoint, or a model that nothing loads:
    the losses of all steps are those of one process."""
    process = start(tmp_path, "--save-every", "100")
    log = tmp_path / "out" / "log.csv"
    while not log.exists() or len(log.read_text().split()) < 5:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "can be resumed" in said
    done = len(read_log(log)["loss"])
    assert 4 <= done < 24
    again = start(tmp_path, "--mesh", "pp=2", "--n-micro", "2")
    said = again.communicate()[1]
    assert again.returncode == 0, said
    assert f"step {done + 1} of 24" in said
    assert f"step {done} of 24" not in said
    run = make("tinyworld-tiny", {"n_steps": 24}).run
    steps = train(replace(run, evaluate=None))
    alone = torch.tensor([step.loss for step in steps])
    torch.testing.assert_close(
        torch.tensor(read_log(log)["loss"]).float(), alone, rtol=1e-4, atol=0.0
    )
    place = find_checkpoint(str(tmp_path / "out"))
    assert load_speaker(place).read("Once")
