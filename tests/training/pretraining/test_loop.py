"""A run that goes on where it stopped."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scratchlm.training.objective import Loss
from scratchlm.training.pretraining import (
    Diverged,
    Interrupted,
    Training,
    checkpoints,
    language_loss,
    load_checkpoint,
    read_log,
    train,
)
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.loop import CHECKPOINTS, LOG


def weights(training):
    return torch.cat([p.detach().flatten() for p in training.parameters])


def drained(run, folder=None, **given):
    training = Training(run)
    steps = list(train(run, folder, training=training, **given))
    return weights(training), steps


def losses(steps):
    return [step.loss for step in steps]


def test_a_run_learns(make_run):
    """All the rest can hold of a loop that forgets the optimizer."""
    run = make_run(n_steps=30, schedule=lambda step: 1.0)
    training = Training(run)
    first = training.batch()
    training.batch = lambda: first
    steps = list(train(run, training=training))
    assert steps[-1].loss < 0.5 * steps[0].loss
    assert [s.step for s in steps] == list(range(30))


def test_a_run_is_the_same_twice(make_run):
    """A generator that nobody set makes each run another."""
    torch.manual_seed(5)
    one, steps = drained(make_run())
    torch.manual_seed(6)
    two, again = drained(make_run())
    assert torch.equal(one, two)
    assert losses(steps) == losses(again)
    assert not torch.equal(one, drained(make_run(seed=1))[0])


def cut(run, folder, steps):
    """Take some steps, and forget the process that took them."""
    running = train(run, folder)
    for _ in range(steps):
        next(running)
    running.close()


def test_resumed_twice_equals_uninterrupted(make_run, tmp_path):
    """Data that restarts shows at the second resumption only."""
    run = make_run(save_every=1)
    whole, steps = drained(run)
    cut(run, tmp_path, 5)
    cut(run, tmp_path, 3)
    resumed, rest = drained(run, tmp_path)
    assert torch.equal(whole, resumed)
    assert losses(rest) == losses(steps)[8:]
    log = read_log(tmp_path / LOG)
    assert log["loss"].tolist() == losses(steps)
    assert log["step"].tolist() == list(range(12))


def test_steps_after_a_checkpoint_are_taken_again(make_run, tmp_path):
    """They would stand in the log twice, and count twice."""
    run = make_run(save_every=4)
    whole, steps = drained(run)
    cut(run, tmp_path, 7)
    resumed, rest = drained(run, tmp_path)
    assert rest[0].step == 4
    assert torch.equal(whole, resumed)
    assert read_log(tmp_path / LOG)["loss"].tolist() == losses(steps)


class After(Request):
    """Asks to end when it is looked at for the n-th time."""

    def __init__(self, looks):
        super().__init__(signal.SIGTERM)
        self.looks = looks

    def __bool__(self):
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("looks", range(9))
def test_the_middle_of_a_step_is_kept(make_run, tmp_path, looks):
    """A step of many parts takes longer than a scheduler waits."""
    run = make_run(n_micro=3, dtype="bfloat16")
    whole, steps = drained(run)
    with pytest.raises(Interrupted, match="can be resumed") as ended:
        drained(run, tmp_path, request=After(looks))
    assert ended.value.number == signal.SIGTERM
    kept = load_checkpoint(tmp_path / CHECKPOINTS).state
    training = Training(run)
    training.load_state_dict(kept)
    assert (training.micro > 0) == bool(kept["gradients"])
    resumed, _ = drained(run, tmp_path)
    assert torch.equal(whole, resumed)
    assert read_log(tmp_path / LOG)["loss"].tolist() == losses(steps)


def test_some_of_them_are_in_the_middle(make_run, tmp_path):
    """The test above could pass with whole steps alone."""
    run = make_run(n_micro=3)
    with pytest.raises(Interrupted):
        drained(run, tmp_path, request=After(1))
    kept = load_checkpoint(tmp_path / CHECKPOINTS).state
    assert kept["micro"] in (1, 2)
    assert kept["gradients"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends(make_run, tmp_path, number):
    """A scheduler's warning would end the run where it stands."""
    seen = []

    def loss(model, batch):
        seen.append(0)
        if len(seen) == 3:
            os.kill(os.getpid(), number)
        return language_loss(model, batch)

    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as ended:
        drained(make_run(loss=loss), tmp_path)
    assert ended.value.number == number
    assert isinstance(ended.value, KeyboardInterrupt)
    assert [step for step, _ in checkpoints(tmp_path / CHECKPOINTS)] == [3]
    assert signal.getsignal(number) is before


def test_the_second_signal_ends_at_once(make_run, tmp_path):
    """A step that hangs could not be stopped."""

    def loss(model, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return language_loss(model, batch)

    with pytest.raises(KeyboardInterrupt) as ended:
        drained(make_run(loss=loss), tmp_path)
    assert not isinstance(ended.value, Interrupted)


def test_another_run_is_refused(make_run, tmp_path):
    """Weights of one width in a model of another, or a rate that jumps."""
    drained(make_run(), tmp_path)
    with pytest.raises(ValueError, match="seed"):
        drained(make_run(seed=1), tmp_path)


def test_a_damaged_checkpoint_costs_the_steps_behind_the_one_before(
    make_run, tmp_path
):
    """The run would end, or go on with weights that are half old."""
    run = make_run(save_every=4)
    whole, _ = drained(run)
    cut(run, tmp_path, 9)
    newest = checkpoints(tmp_path / CHECKPOINTS)[-1][1]
    weights_file = newest / "model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-7])
    with pytest.warns(UserWarning, match="step 4 is taken"):
        resumed, rest = drained(run, tmp_path)
    assert rest[0].step == 4
    assert torch.equal(whole, resumed)


def test_a_run_that_diverges_names_its_last_good_checkpoint(
    make_run, tmp_path
):
    """What is saved after the loss has gone is worth nothing."""
    seen = []

    def loss(model, batch):
        seen.append(0)
        found = language_loss(model, batch)
        bad = math.nan if len(seen) > 5 else 1.0
        return Loss(found.total * bad, found.count)

    run = make_run(loss=loss, most_skipped=2, save_every=4)
    with pytest.raises(Diverged, match=r"last good checkpoint is.*step-0*4"):
        drained(run, tmp_path)
    assert [s for s, _ in checkpoints(tmp_path / CHECKPOINTS)] == [4]
    assert read_log(tmp_path / LOG)["skipped"].tolist()[-2:] == [1, 1]


def test_a_folder_has_one_writer(make_run, tmp_path, held):
    """Two processes would write one log."""
    with held(tmp_path), pytest.raises(ValueError, match="another process"):
        drained(make_run(), tmp_path)


def test_a_full_disk_loses_no_checkpoint(make_run, tmp_path, monkeypatch):
    """A run that dies while saving must find the one before."""
    run = make_run(save_every=4)
    cut(run, tmp_path, 5)
    from scratchlm.training.pretraining import loop

    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop, "save_checkpoint", full)
    with pytest.raises(OSError, match="No space"):
        drained(run, tmp_path)
    assert [s for s, _ in checkpoints(tmp_path / CHECKPOINTS)] == [4]


@pytest.mark.slow  # processes that are killed, thirty of them
@pytest.mark.parametrize("given", [("30",), ("2", "compiled", "bfloat16")])
def test_killed_at_any_moment_equals_uninterrupted(tmp_path, given):
    """A kill in the middle of a save, before the first one, or between a
    save and the log, leaves something that a resumption misreads."""
    script = Path(__file__).with_name("killed_runs.py")
    told = subprocess.run(
        [sys.executable, script, tmp_path, *given],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2000:]
    found = json.loads(told.stdout)
    assert (found["log"], found["state"], found["step"]) == (True, True, 60)
    # Fewer where the machine is so fast that the run ends before its kill.
    assert found["kills"] >= int(given[0]) // 2
    assert 0 < found["steps"][len(found["steps"]) // 2] < 60
