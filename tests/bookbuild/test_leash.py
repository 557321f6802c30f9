"""A program ends when the one that started it does."""

import os
import signal
import subprocess
import sys

import pytest

from bookbuild import leash
from bookbuild.leash import leashed

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
PARENT = """
import subprocess
import sys
from bookbuild.leash import leashed
with leashed(
    ["sh", "-c", sys.argv[1]],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
):
    pass
"""


def shell(script, **settings):
    return leashed(["sh", "-c", script], **(PIPES | settings))


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("exit 3", 3, ""),
        # A kernel that the system ends for its memory leaves no other word.
        ("kill -9 $$", 137, "sh ended by signal 9, Killed"),
        ("true", 0, ""),
    ],
)
def test_status_and_output_are_the_programs(tmp_path, script, status, words):
    """A wrapper that always succeeds turns a failed build into a book."""
    env = os.environ | {"WORD": "given"}
    with shell(f"pwd; echo $WORD; {script}", cwd=tmp_path, env=env) as process:
        said, _ = process.communicate(timeout=30)
    assert said.split() == [str(tmp_path), "given", *words.split()]
    assert process.returncode == status


def test_a_killed_parent_takes_its_programs_along(witness):
    """Left alone, they write into the folder that the next build uses."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, witness.script]
    ) as parent:
        witness.wait_for_start()
        parent.kill()
    witness.wait_for_end()


def test_an_error_in_the_block_ends_the_program(witness):
    """An interrupted build that waits for what nobody wants any more."""

    def interrupted():
        with shell(witness.script):
            witness.wait_for_start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    witness.wait_for_end()


def test_an_error_after_the_programs_end_is_the_one_seen():
    """The kill finds nobody, and its own error would hide the first."""

    def fails():
        with shell("true") as process:
            process.wait()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fails()


def test_an_interrupt_is_the_programs_to_answer():
    """Jupyter interrupts a cell by a signal to the group: a leash that died
    of it would take the kernel along, and one that ignored it would teach
    the program to ignore it too."""
    script = "trap 'exit 7' INT; echo up; while :; do sleep 0.05; done"
    with shell(script) as process:
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
    assert process.returncode == 7


def test_the_command_line_runs_what_it_names(monkeypatch):
    """In this process, with a pipe that nobody watches."""
    watched = []
    monkeypatch.setattr(leash, "once_closed", lambda *a: watched.append(a))
    monkeypatch.setattr(sys, "argv", ["leash", "sh", "-c", "exit 5"])
    before = signal.getsignal(signal.SIGINT)
    try:
        with open(os.devnull) as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)
            assert leash.main() == 5
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(watched) == 1
