"""Scripts that a shell reads as they were meant, with Slurm's commands
replaced by small ones that say what they were asked."""

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from torch.distributed.run import parse_args

from scratchlm.scaling.launching.job_script import sbatch_script, torchrun
from scratchlm.scaling.launching.launch import Launch

HOSTILE = (
    "a b",
    "$(touch hacked)",
    "`touch hacked`",
    "'; touch hacked; '",
    '"',
    "\\",
    "*",
    "ü",
)


def launch(folder="/scratch/run", **changes):
    usual = {
        "name": "run",
        "command": ("-m", "program", "out"),
        "folder": Path(folder),
    }
    return Launch(**{**usual, **changes})


def directives(script):
    lines = [x for x in script.splitlines() if x.startswith("#SBATCH ")]
    return [line.removeprefix("#SBATCH ") for line in lines]


SCRIPTS = [
    launch(),
    launch(nodes=2, ranks_per_node=4, gpus_per_rank=1, cpus_per_rank=6),
    launch(nodes=4, least_nodes=2, partition="gpu", account="lab-1"),
    launch(nodes=2, ranks_per_node=2, starter="srun", requeue=False),
    launch("/a b/100 %/#1", command=("x.py", *HOSTILE)),
]


@pytest.mark.parametrize("given", SCRIPTS)
def test_bash_reads_every_script(given):
    """A quote or a bracket that is missing is found after a night in the
    queue."""
    script = sbatch_script(given)
    read = subprocess.run(
        ["bash", "-n"],
        input=script,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (read.returncode, read.stderr) == (0, "")
    assert "set -euo pipefail" in script


@pytest.mark.parametrize("given", SCRIPTS)
def test_shellcheck_finds_nothing(given):
    """A variable without quotes works until a path has a space."""
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    script = sbatch_script(given)
    found = subprocess.run(
        ["shellcheck", "-"],
        input=script,
        text=True,
        capture_output=True,
        check=False,
    )
    assert found.stdout == ""


def test_directives_stand_before_the_first_command():
    """Slurm stops reading options at the first line that is a command."""
    for given in SCRIPTS:
        lines = sbatch_script(given).splitlines()
        assert lines[0] == "#!/bin/bash"
        n = len(directives(sbatch_script(given)))
        assert all(x.startswith("#SBATCH ") for x in lines[1 : n + 1])
        assert lines[n + 1] == "set -euo pipefail"


def test_sbatch_is_told_what_the_launch_says():
    """A job on one node of four, or a requeued one whose log is empty."""
    told = directives(sbatch_script(SCRIPTS[1]))
    assert {
        "--job-name=run",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--cpus-per-task=24",
        "--gpus-per-node=4",
        "--time=60",
        '--output="/scratch/run/slurm-%j.log"',
        "--open-mode=append",
        "--requeue",
        "--signal=B:USR1@120",
    } == set(told)
    told = directives(sbatch_script(SCRIPTS[2]))
    assert {"--partition=gpu", "--account=lab-1"} <= set(told)
    assert {"--nodes=2-4", "--no-kill"} <= set(told)
    told = directives(sbatch_script(SCRIPTS[3]))
    assert {"--ntasks-per-node=2", "--cpus-per-task=1"} <= set(told)
    assert "--no-requeue" in told
    assert "scontrol requeue" not in sbatch_script(SCRIPTS[3])


def test_a_percent_sign_of_a_folder_is_no_pattern():
    """Slurm replaces %j and the like anywhere in the name of a log."""
    told = directives(sbatch_script(SCRIPTS[4]))
    assert '--output="/a b/100 %%/#1/slurm-%j.log"' in told


def test_torchrun_s_own_parser_takes_the_command():
    """An option that torchrun renamed, or that goes to the program."""
    given = launch(nodes=4, least_nodes=2, ranks_per_node=8)
    read = parse_args(torchrun(given, "node1:29400")[3:])
    assert (read.nnodes, read.nproc_per_node) == ("2:4", "8")
    assert (read.rdzv_backend, read.rdzv_endpoint) == ("c10d", "node1:29400")
    assert (read.rdzv_id, read.max_restarts) == ("run", 3)
    assert read.module
    assert (read.training_script, read.training_script_args) == (
        "program",
        ["out"],
    )
    # What is left for the ranks ends before Slurm's own patience does.
    assert 0 < read.shutdown_timeout < given.warning
    assert parse_args(torchrun(launch())[3:]).standalone


def test_several_nodes_need_a_place_to_meet():
    """Each node starts a run of its own, and none of them says so."""
    with pytest.raises(ValueError, match="2 nodes have to meet; give an end"):
        torchrun(launch(nodes=2))


class Slurm:
    """Commands of Slurm's names in a folder, and what they were asked."""

    def __init__(self, folder, srun):
        self.folder = folder
        self._write("srun", srun)
        self._write("scancel", 'echo "$@" > asked; kill -TERM "$(cat pid)"')
        self._write("scontrol", 'echo "$@" > requeued')

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def start(self, script):
        place = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        (self.folder / "job.sh").write_text(script)
        return subprocess.Popen(
            ["bash", "job.sh"],
            cwd=self.folder,
            env={**os.environ, "PATH": place, "SLURM_JOB_ID": "123"},
        )

    def read(self, name):
        path = self.folder / name
        return path.read_text() if path.exists() else None


ASK = "printf '%s\\0' \"$@\" > words; env -0 > variables"
# A rank that ends with 143 when it is told to end.
WAIT = "trap 'exit 143' TERM; echo $$ > pid; while true; do sleep 0.05; done"


@pytest.mark.parametrize("starter", ["torchrun", "srun"])
def test_hostile_words_reach_the_ranks_as_they_are(tmp_path, starter):
    """A shell that splits a path at its space, or runs what it names."""
    given = launch(
        "/a b",
        nodes=2,
        command=("x.py", *HOSTILE),
        environment={"ONE": HOSTILE[3], "TWO": "$HOME"},
        python="/my python/bin/python",
        starter=starter,
        cpus_per_rank=3,
    )
    slurm = Slurm(tmp_path, ASK)
    assert slurm.start(sbatch_script(given)).wait() == 0
    words = slurm.read("words").split("\0")[:-1]
    assert words[-9:] == ["x.py", *HOSTILE]
    assert "/my python/bin/python" in words
    assert "--cpus-per-task=3" in words  # srun does not take it from sbatch
    found = dict(
        line.split("=", 1) for line in slurm.read("variables").split("\0")[:-1]
    )
    assert (found["ONE"], found["TWO"]) == (HOSTILE[3], "$HOME")
    assert found["OMP_NUM_THREADS"] == "3"
    assert not (tmp_path / "hacked").exists()
    host = subprocess.check_output(["hostname"], text=True)
    if starter == "torchrun":
        assert f"--rdzv-endpoint={host.strip()}:12123" in words
        assert "--rdzv-id=123" in words
    else:
        assert found["MASTER_ADDR"] == host.strip()
        assert found["MASTER_PORT"] == "12123"


def until(condition):
    while not condition():
        time.sleep(0.02)


def test_a_job_whose_time_is_over_asks_for_more(tmp_path):
    """A shell that ends at the signal, and leaves its ranks to be killed
    without a checkpoint; or one that requeues before they have written."""
    slurm = Slurm(tmp_path, WAIT)
    job = slurm.start(sbatch_script(launch()))
    until(lambda: slurm.read("pid"))
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == 143
    assert slurm.read("asked") == "--signal=TERM 123\n"
    assert slurm.read("requeued") == "requeue 123\n"


def test_a_job_that_ends_after_the_signal_is_not_requeued(tmp_path):
    """A run that is done, and starts again to find that it is."""
    slurm = Slurm(tmp_path, WAIT.replace("143", "0"))
    job = slurm.start(sbatch_script(launch()))
    until(lambda: slurm.read("pid"))
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == 0
    assert slurm.read("requeued") is None


def test_a_program_that_fails_is_not_requeued(tmp_path):
    """A mistake in the program that runs for ever."""
    slurm = Slurm(tmp_path, "exit 7")
    assert slurm.start(sbatch_script(launch())).wait() == 7
    assert slurm.read("requeued") is None


def test_a_signal_without_a_step_does_not_end_the_script(tmp_path):
    """scancel fails while srun has not begun, and ends its own script."""
    slurm = Slurm(tmp_path, "touch begun; sleep 0.5; exit 0")
    job = slurm.start(sbatch_script(launch()))
    until(lambda: slurm.read("begun") is not None)
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == 0


@pytest.mark.slow  # torchrun imports PyTorch before it does anything
def test_torchrun_starts_ranks_by_this_command(tmp_path):
    """A command that only looks like one."""
    program = tmp_path / "my program.py"
    program.write_text(
        "import os, sys, pathlib\n"
        "place = [os.environ[x] for x in ('RANK', 'WORLD_SIZE')]\n"
        "pathlib.Path(sys.argv[1], place[0]).write_text(' '.join(place))\n"
    )
    given = launch(
        ranks_per_node=2,
        command=(str(program), str(tmp_path)),
        python=sys.executable,
    )
    subprocess.run(torchrun(given), check=True, capture_output=True)
    assert (tmp_path / "0").read_text() == "0 2"
    assert (tmp_path / "1").read_text() == "1 2"


def test_words_for_a_person_can_be_pasted():
    """A command that is printed and cannot be run."""
    words = torchrun(launch(command=("x.py", *HOSTILE)))
    assert shlex.split(shlex.join(words)) == words
