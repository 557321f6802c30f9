"""Ranks that are killed at any moment, and the runs that go on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchlm.training.pretraining import read_log

PROGRAM = Path(__file__).with_name("fault_ranks.py")
N_STEPS = 12
# At the start k of the ranks: which dies when, in which step. A checkpoint is
# written behind every second step.
DEATHS = (
    ("before the group", 1, None),
    ("at the start", 0, None),
    ("in the forward pass", 1, 1),
    ("in a collective", 0, 3),
    ("once resumed", 1, None),
    ("in the backward pass", 0, 3),
    ("while weights move", 1, 5),
    ("behind the optimizer", 0, 5),
    ("within a row of the log", 0, 5),
    ("before a checkpoint", 1, 5),
    ("before the rename", 0, 5),
    ("behind the rename", 0, 5),
    ("before old ones go", 0, 7),
    ("between steps", 1, 9),
)
# At these moments the step is done.
BEHIND = (
    "within a row of the log",
    "before a checkpoint",
    "before the rename",
    "behind the rename",
    "before old ones go",
)
DEATHS_OF_FOUR = (
    ("in a collective", 3, 1),
    ("before the rename", 0, 3),
    ("in the backward pass", 2, 5),
    ("while weights move", 1, 7),
)
TWO, FOUR = {"dp": 2}, {"dp": 2, "tp": 2}


def launch(name, mesh, *, deaths=(), restarts=None, stop=0):
    return {
        "folder": name,
        "mesh": mesh,
        "n_steps": N_STEPS,
        "deaths": deaths,
        "restarts": len(deaths) if restarts is None else restarts,
        "stop": stop,
    }


LAUNCHES = [
    launch("alone", {}),
    launch("calm", TWO),
    launch("killed", TWO, deaths=DEATHS),
    launch("anew", TWO, deaths=[("in a collective", 1, 5)], restarts=0),
    launch("anew", TWO),
    # A limit that a step on a busy machine keeps, and restarts if not.
    {
        **launch("hung", TWO, deaths=[("hang between steps", 1, 5)]),
        **{"limit": 6.0, "restarts": 3},
    },
    launch("calm of four", FOUR),
    launch("killed of four", FOUR, deaths=DEATHS_OF_FOUR),
    launch("fewer", FOUR, deaths=[("between steps", 2, 7)], restarts=0),
    launch("fewer", TWO),
    launch("fewer, calm", FOUR, stop=5),
    launch("fewer, calm", TWO),
]


def environ():
    """Ranks find the package where this process has found it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder in which all launches were made, by one process."""
    folder = tmp_path_factory.mktemp("faults")
    given = [{**x, "folder": str(folder / x["folder"])} for x in LAUNCHES]
    (folder / "launches.json").write_text(json.dumps(given))
    with (folder / "said").open("wb") as said:
        done = subprocess.run(
            [sys.executable, PROGRAM, folder / "launches.json"],
            stdout=subprocess.PIPE,
            stderr=said,
            env=environ(),
            check=False,
            timeout=300,
        )
    said = (folder / "said").read_text(errors="replace")
    assert done.returncode == 0, said[-3000:]
    failed = [bool(each["failed"]) for each in json.loads(done.stdout)]
    wanted = [
        x["stop"] > 0 or x["restarts"] < len(x["deaths"]) for x in LAUNCHES
    ]
    assert failed == wanted, said[-3000:]
    return folder


def told(folder, name):
    """The lines of a file of what happened, by the start and the rank."""
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return {(each["start"], each["rank"]): each for each in found}


def checkpoint(folder):
    """All bytes of the newest checkpoint."""
    (path,) = (folder / "checkpoints").glob(f"step-*{N_STEPS}")
    return {each.name: each.read_bytes() for each in path.iterdir()}


def losses(folder):
    log = read_log(folder / "log.csv")
    assert log["step"].tolist() == list(range(N_STEPS))
    return log["loss"]


def same(one, other):
    """Whether two runs ended in the same bits, with the same log."""
    logs = [read_log(folder / "log.csv") for folder in (one, other)]
    for log in logs:
        del log["seconds"]
    return checkpoint(one) == checkpoint(other) and all(
        np.array_equal(logs[0][name], logs[1][name], equal_nan=True)
        for name in logs[0]
    )


# A process imports PyTorch, and starts ranks some thirty times.
pytestmark = pytest.mark.slow


def test_every_death_happened(runs):
    """A moment that never comes proves nothing."""
    for name, deaths in (
        ("killed", DEATHS),
        ("killed of four", DEATHS_OF_FOUR),
    ):
        killed = told(runs / name, "killed")
        assert [
            (each["moment"], each["rank"]) for each in killed.values()
        ] == [(moment, rank) for moment, rank, _ in deaths]
        starts = {start for start, _ in told(runs / name, "started")}
        assert starts == set(range(len(deaths) + 1))


def test_a_killed_run_equals_one_that_was_not(runs):
    """A checkpoint taken for whole, a row of the log twice or half, a batch
    skipped or read again, an optimizer that begins anew."""
    assert same(runs / "killed", runs / "calm")
    assert same(runs / "killed of four", runs / "calm of four")


def test_a_new_launch_goes_on_too(runs):
    """A resumption that works only below the same torchrun."""
    assert same(runs / "anew", runs / "calm")


def test_a_run_that_hangs_is_started_again(runs):
    """A job that waits for one rank until its time is over."""
    assert same(runs / "hung", runs / "calm")
    said = (runs / "said").read_text(errors="replace")
    assert "rank 0 of 2 has not ended a step for 6 seconds" in said
    assert "rank 1 does not wait; it stands in" in said
    assert "time.sleep(600)" in said
    assert {start for start, _ in told(runs / "hung", "started")} >= {0, 1}


def test_a_run_goes_on_with_fewer_ranks(runs):
    """State that only its own mesh can read; or a kill that leaves other
    numbers than a change of the mesh does."""
    asked = told(runs / "fewer, calm", "asked")
    assert all("after 6 steps" in each["told"] for each in asked.values())
    for name in ("fewer", "fewer, calm"):
        resumed = told(runs / name, "resumed").values()
        assert [each["step"] for each in resumed] == [6, 6], name
    assert same(runs / "fewer", runs / "fewer, calm")
    changed, never = losses(runs / "fewer"), losses(runs / "calm of four")
    assert changed[:6].tolist() == never[:6].tolist()
    assert changed[6:] == pytest.approx(never[6:], rel=1e-6)


def test_ranks_train_as_one_process_does(runs):
    """Runs that all go on alike, and all wrongly."""
    for name in ("calm", "calm of four"):
        assert losses(runs / name) == pytest.approx(
            losses(runs / "alone"), rel=1e-6
        )


@pytest.mark.parametrize(
    ("name", "world", "deaths"),
    [("killed", 2, DEATHS), ("killed of four", 4, DEATHS_OF_FOUR)],
)
def test_the_others_say_who_is_dead_and_end_within_seconds(
    runs, name, world, deaths
):
    """Ranks that wait for a dead one until a limit of half an hour."""
    ended = told(runs / name, "ended")
    killed = told(runs / name, "killed")
    started = told(runs / name, "started")
    for start, (moment, dead, _) in enumerate(deaths):
        at = killed[start, dead]["at"]
        again = min(started[start + 1, rank]["at"] for rank in range(world))
        assert 0 < again - at < 15, moment
        if moment == "before the group":
            continue  # the launcher ends who waits to be connected
        for rank in set(range(world)) - {dead}:
            last = ended[start, rank]
            assert f"rank {rank} of {world}" in last["told"], moment
            assert f"has lost another: rank {dead} " in last["told"], moment
            assert at < last["at"] < again, moment


def test_few_steps_are_made_again(runs, keep):
    """A run that begins anew after each death, and never ends; and what the
    book shows of how long a death takes."""
    folder = runs / "killed"
    ended, killed = told(folder, "ended"), told(folder, "killed")
    started, resumed = told(folder, "started"), told(folder, "resumed")
    seconds, lost = {}, {}
    for start, (moment, dead, step) in enumerate(DEATHS):
        other = 1 - dead
        # Who waits to be connected is ended by the launcher.
        last = ended.get((start, other), started[start + 1, other])
        seconds[moment] = last["at"] - killed[start, dead]["at"]
        found = resumed.get((start + 1, other), {"step": 0})["step"]
        begun = resumed.get((start, other), {"step": 0})["step"]
        at = begun if step is None else step + (moment in BEHIND)
        lost[moment] = at - found
    assert [*lost.values()] == [0, 0, 1, 1, 0, 1, 1, 1, 2, 2, 2, 0, 0, 1]
    keep("launching-faults", seconds, "s")
    keep("launching-faults-steps", lost, "1")


def test_what_torchrun_itself_starts_goes_on(runs, tmp_path):
    """A launcher of our own tests, which is kinder than the one in use."""
    given = launch("", TWO, deaths=[("in a collective", 1, 5)])
    (tmp_path / "launch.json").write_text(
        json.dumps({**given, "folder": str(tmp_path / "run")})
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node=2", "--max-restarts=1"),
            *(PROGRAM, tmp_path / "launch.json"),
        ],
        capture_output=True,
        text=True,
        env=environ(),
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rank 0 of 2, in step 5, has lost another: rank 1 " in done.stderr
    assert same(tmp_path / "run", runs / "calm")
