"""A run under Slurm that is asked to end, and loses a node."""

import importlib.util
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scratchlm.scaling.launching.job_script import sbatch_script
from scratchlm.scaling.launching.launch import Launch
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.pretraining.checkpoint import checkpoints
from scratchlm.training.pretraining.log import read_log
from scratchlm.training.pretraining.loop import CHECKPOINTS, train

PROGRAM = Path(__file__).with_name("fault_ranks.py")
BOOK = Path(__file__).parents[3] / "book"
N_STEPS = 20


@pytest.fixture(scope="module")
def program():
    """The program of the ranks, as a module."""
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[PROGRAM.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[PROGRAM.stem]


def adamw_of(model):
    """What the program's own optimizer is to equal."""
    return AdamW(model.parameters(), 1e-2, weight_decay=0.1)


class Job:
    """A run of four ranks on two nodes, submitted to Slurm.

    Args:
        cluster: that runs it.
        folder: for the run and its script; with a blank in its name.
        pause: seconds behind each step, in which something may happen.
    """

    def __init__(self, cluster, folder, pause):
        self.cluster, self.folder = cluster, folder
        folder.mkdir()
        self.launch = {
            "folder": str(folder),
            "mesh": {"dp": 2, "tp": 2},
            "n_steps": N_STEPS,
            "deaths": [],
            "stop": 0,
            "pause": pause,
        }
        (folder / "launch.json").write_text(json.dumps(self.launch))
        script = sbatch_script(
            Launch(
                name="tiny",
                command=(str(PROGRAM), str(folder / "launch.json")),
                folder=folder,
                nodes=2,
                ranks_per_node=2,
                minutes=5,
                starter="srun",
                python=sys.executable,
                environment={"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        )
        (folder / "job.sh").write_text(script)
        told = cluster.show("sbatch --parsable job.sh", folder)
        self.number = told.strip()

    def restarts(self):
        return int(self.cluster.job(self.number)["Restarts"])

    def states(self):
        """How the job's state changed, as its user sees it."""
        shown = self.cluster.run("squeue", "--noheader", "--format=%T")
        return shown.split()

    def n_steps(self):
        """How many steps stand in the log."""
        log = self.folder / "log.csv"
        return len(read_log(log)["step"]) if log.exists() else 0

    def until_step(self, step):
        self.cluster.until(lambda: self.n_steps() > step)

    def until_requeued(self, restarts):
        """Wait until Slurm has the job in its queue again, and show it."""
        self.cluster.until(
            lambda: (
                self.restarts() == restarts and self.states() == ["PENDING"]
            )
        )
        self.cluster.show("squeue --format='%i %j %T %r'")
        self.show_log()
        return self.newest()

    def newest(self):
        """The step of the newest checkpoint."""
        return max(step for step, _ in checkpoints(self.folder / CHECKPOINTS))

    def show_log(self):
        self.cluster.show("tail -n 2 log.csv | cut -d, -f1-4", self.folder)


def warned(job):
    """Warn a job as Slurm does when its time is nearly over; return the
    steps that were done, and the seconds until it was requeued."""
    at = time.monotonic()
    job.cluster.show(f"scancel --batch --signal=USR1 {job.number}")
    saved = job.until_requeued(1)
    asked = (job.folder / "asked.jsonl").read_text().splitlines()
    assert len(asked) == 4
    assert all(f"asked to end after {saved} steps" in each for each in asked)
    assert job.n_steps() == saved
    return saved, time.monotonic() - at


def without_a_node(job):
    """Kill a node below a job; return the steps that were done and those of
    the newest checkpoint, and the seconds to the queue and to a new step."""
    cluster, done, at = job.cluster, job.n_steps(), time.monotonic()
    cluster.transcript.append(
        "# Node n2 dies: kill -9 of all its processes.\n"
    )
    cluster.kill_node("n2")
    cluster.show("scontrol update nodename=n2 state=down reason=dead")
    found = job.until_requeued(2)
    queued = time.monotonic() - at
    cluster.show(
        f"grep -o 'rank 0 of 4.*' slurm-{job.number}.log | fold -s -w 78",
        job.folder,
    )
    cluster.start_node("n2")
    cluster.until(lambda: cluster.states()["n2"] == "idle")
    cluster.show("sinfo")
    job.until_step(done + 1)
    return done, found, queued, time.monotonic() - at


# Daemons start, and twelve ranks that import PyTorch.
@pytest.mark.slow
def test_a_job_outlives_its_time_and_its_node(
    cluster, program, ranks, tmp_path, keep
):
    """A script that runs on paper alone; a job that begins anew after it was
    requeued, or does not come back."""
    cluster.show("sinfo")
    job = Job(cluster, tmp_path / "a run #1", pause=0.15)
    job.until_step(3)
    saved, waited = warned(job)
    job.until_step(saved + 3)
    done, found, queued, again = without_a_node(job)
    cluster.until(lambda: job.states() == [])
    job.show_log()
    told = cluster.show(
        f"scontrol show job {job.number} | grep -oE '(JobState|Restarts)=\\w+'"
    )
    assert told.split() == ["JobState=COMPLETED", "Restarts=2"]
    calm = {**job.launch, "folder": str(tmp_path / "calm"), "pause": 0.0}
    ranks(4)(program.train_undisturbed, calm)
    worst = hold_against(program, job.folder, tmp_path / "calm")
    seconds = {
        "from the warning to the queue": waited,
        "from the death of a node to the queue": queued,
        "from the death of a node to a new step": again,
    }
    steps = {
        "of the run": N_STEPS,
        "done when warned": saved,
        "done when the node died": done,
        "in the newest checkpoint then": found,
        "relative difference to one process": worst,
    }
    keep("launching-slurm", seconds, "s")
    keep("launching-slurm-steps", steps, "1")
    if keep.records:
        (BOOK / "scaling" / "launching-slurm.txt").write_text(cluster.told())


def hold_against(program, folder, calm):
    """Compare a run's bits with a calm one's, and its losses with those of
    one process; return by how much these differ."""
    own, other = (read_log(each / "log.csv") for each in (folder, calm))
    for name in own.keys() - {"seconds"}:
        assert np.array_equal(own[name], other[name], equal_nan=True), name
    files = [
        {each.name: each.read_bytes() for each in path.iterdir()}
        for place in (folder, calm)
        for path in (place / CHECKPOINTS).glob(f"step-*{N_STEPS}")
    ]
    assert files[0] == files[1]
    run = replace(program.run_of(N_STEPS), optimizer=adamw_of)
    alone = np.array([step.loss for step in train(run)])
    worst = np.abs(own["loss"] / alone - 1).max()
    assert worst < 1e-6
    return float(worst)
