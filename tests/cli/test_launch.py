"""From a recipe to ranks: on this machine, or in a script for Slurm."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from scratchlm.cli import launch as module
from scratchlm.cli.launch import (
    LAUNCH,
    SCRIPT,
    read_launch,
)
from scratchlm.cli.program import main
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.training.pretraining.interruption import Interrupted

TINY = ("launch", "tinyworld-tiny", "-o", "out")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call it with words in an empty folder: the exit code, what was
    printed, and what the user was told."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        capsys.readouterr()
        try:
            code = main([*TINY, *words])
        except SystemExit as ended:  # tyro's, for an option that is none
            code = ended.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_dry_run_prints_a_script_and_writes_nothing(run, tmp_path):
    """A look at a script that leaves a run behind."""
    code, script, said = run(
        *("--slurm", "--dry-run", "--nodes", "2", "--minutes", "90"),
        *("--mesh", "dp=2,pp=2", "--n-micro", "2", "--partition", "gpu"),
    )
    assert code == 0
    assert "dp 2 × pp 2" in said
    assert "parameters" in said
    lines = script.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "#SBATCH --nodes=2" in lines
    assert "#SBATCH --time=90" in lines
    assert "#SBATCH --partition=gpu" in lines
    assert f"scratchlm.cli.rank {tmp_path / 'out'}" in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert list(tmp_path.iterdir()) == []


def test_without_slurm_it_is_torchrun_s_command(run):
    """A command for a person who starts the ranks without this one."""
    code, command, _ = run("--dry-run", "--ranks-per-node", "4")
    assert code == 0
    assert command.startswith(f"{sys.executable} -m torch.distributed.run ")
    assert "--nproc-per-node=4" in command
    assert "--standalone" in command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--mesh dp=2,tp=2 --ranks-per-node 4", "2 does not divide; give tp"),
        ("--mesh dp=4", "has 4 processes for 2 chips; make dp 2"),
        ("--mesh dp=two", "'dp=two' is no axis and size"),
        ("--mesh dp=1,dp=2", "at most once"),
        ("--mesh xp=2", "give each of dp, tp, pp, cp, ep"),
        ("--ranks-per-node 3", "dp 3 times n_micro 1 does not divide"),
        ("--n-micro 0", "n_micro 0 does not divide"),
        ("--zero 4", "zero is 4; stages are"),
        ("--zero 1", "cannot be cut by --zero or tp: Muon looks at whole"),
        ("--save-every 0", "save_every is 0; give 1 or more"),
        ("--nodes 2", "2 nodes need a scheduler; give --slurm"),
        ("--nodes 0", "nodes is 0; give 1 or more"),
        ("--minutes 1", "warning is 120 seconds of a job of 1 minutes"),
        ("--partition a;b --slurm", "partition is 'a;b'"),
        ("--gpu abacus", "chip is 'abacus'"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(run, words, message):
    """Ranks that fail one after another, each with a traceback."""
    code, out, said = run(*words.split(), "--dry-run")
    assert (code, out) == (2, "")
    last = said.splitlines()[-1]
    assert last.startswith("scratchlm: ")
    assert message in last


def sbatch(folder, monkeypatch, text):
    """Put a command of this name before all others."""
    place = folder / "bin"
    place.mkdir()
    (place / "sbatch").write_text(f"#!/bin/bash\n{text}\n")
    (place / "sbatch").chmod(0o755)
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)


def test_a_script_is_submitted(run, tmp_path, monkeypatch):
    """A job that was written, and never reached the queue."""
    sbatch(tmp_path, monkeypatch, 'cp "$1" sent; echo Submitted job 7')
    code, _, said = run("--slurm", "--save-every", "2", "--n-steps", "4")
    assert code == 0
    assert said.splitlines()[-1] == "launch: Submitted job 7"
    script = (tmp_path / "out" / SCRIPT).read_text()
    assert (tmp_path / "sent").read_text() == script
    told = read_launch(tmp_path / "out")
    assert told["recipe"] == "tinyworld-tiny"
    assert told["settings"]["n_steps"] == 4
    assert told["mesh"] == vars(Mesh(dp=2))
    assert told["save_every"] == 2
    # The same command again, also on another mesh.
    few = ("--mesh", "pp=2", "--n-micro", "1")
    assert run("--slurm", "--n-steps", "4", *few)[0] == 2
    assert run("--slurm", "--n-steps", "4", "--mesh", "pp=2")[0] == 0
    assert read_launch(tmp_path / "out")["mesh"] == vars(Mesh(pp=2))


def test_what_sbatch_refuses_is_said(run, tmp_path, monkeypatch):
    """A job that is not there, and a command that says it is."""
    sbatch(tmp_path, monkeypatch, "echo no such partition >&2; exit 1")
    code, _, said = run("--slurm")
    assert code == 2
    assert "sbatch refused" in said
    assert "no such partition; change what" in said


def test_without_sbatch_the_script_is_kept(run, tmp_path, monkeypatch):
    """A script that has to be written again on the cluster."""
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, said = run("--slurm")
    assert code == 2
    assert "there is no sbatch on this machine; run `sbatch" in said
    assert (tmp_path / "out" / SCRIPT).is_file()


def test_a_folder_of_another_run_is_left_alone(run, tmp_path):
    """Checkpoints of two runs in one folder."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_text("{}")
    code, _, said = run("--dry-run")
    assert code == 2
    assert "is of a run on one process" in said
    (out / "run.json").unlink()
    told = {
        "recipe": "tinyworld-base",
        "settings": {},
        "mesh": vars(Mesh()),
        "zero": 0,
        "n_micro": 1,
        "sequence": False,
        "save_every": 100,
    }
    (out / LAUNCH).write_text(json.dumps(told))
    code, _, said = run("--dry-run")
    assert code == 2
    assert "is of tinyworld-base, not of tinyworld-tiny" in said


def test_a_damaged_file_is_named(tmp_path):
    """A traceback of the JSON module, on each rank."""
    with pytest.raises(ValueError, match=r"there is no .*give the folder of"):
        read_launch(tmp_path)
    (tmp_path / LAUNCH).write_text("{")
    with pytest.raises(ValueError, match="is damaged: "):
        read_launch(tmp_path)
    (tmp_path / LAUNCH).write_text('{"recipe": 1}')
    with pytest.raises(ValueError, match="it has recipe and should have"):
        read_launch(tmp_path)


def python(text):
    return [sys.executable, "-c", text]


def test_ranks_that_fail_are_a_mistake_of_the_run():
    """A launcher that ends with 0 whatever its ranks did."""
    module._run_until_done(python("pass"), Path("out"))
    with pytest.raises(ValueError, match="torchrun ended with 3; look"):
        module._run_until_done(python("raise SystemExit(3)"), Path("out"))


def test_ranks_get_the_threads_that_were_asked_for(monkeypatch):
    """Torchrun sets one where nothing is said, whatever cores there are."""
    program = python("import os; assert os.environ['OMP_NUM_THREADS'] == '3'")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    module._run_until_done(program, Path("out"), threads=3)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # as the reader has set it
    module._run_until_done(program, Path("out"), threads=1)


def test_a_signal_is_passed_on_and_waited_for(tmp_path, monkeypatch):
    """Ctrl-C ends the launcher, and leaves its ranks; or ends the ranks
    while they write their checkpoint. A second one changes nothing."""
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.5)\n"
        "    pathlib.Path('ended').touch()\n"
        "    sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path('begun').touch()\n"
        "time.sleep(60)\n"
    )
    monkeypatch.chdir(tmp_path)

    def interrupt():
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted, match="the same command goes on") as end:
        module._run_until_done(python(program), tmp_path)
    thread.join()
    assert end.value.number == signal.SIGINT
    assert (tmp_path / "ended").exists()
