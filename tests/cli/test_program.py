"""Exit codes, one line for a mistake, and no traceback."""

import os
import signal
import subprocess
import sys
import time

import pytest

from scratchlm.cli import program
from scratchlm.cli.corpus import Corpus
from scratchlm.cli.program import main


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "scratchlm", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
        **options,
    )


def test_help_says_what_each_command_does():
    """A help that lists options and no purpose."""
    shown = run("--help")
    assert shown.returncode == 0
    for name in program.COMMANDS:
        assert name in shown.stdout
        each = run(name, "--help").stdout
        assert "Example: python -m scratchlm" in each


def test_help_loads_no_library_that_works():
    """Two seconds of imports before the first word."""
    heavy = {"numpy", "torch", "pyarrow", "datasets", "trafilatura"}
    check = (
        "import sys, scratchlm.cli.program\n"
        f"sys.exit(bool({heavy} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["corpus", "nothing"],
        ["corpus", "python-docs", "--megabytes", "x"],
        ["corpus", "python-docs", "--megabytes", "0"],
        ["corpus", "python-docs", "-o", "no/such/folder/a.jsonl"],
        ["corpus", "python-docs", "-o", "a.pdf"],
        ["dedup"],
        ["dedup", "no-such-file.txt"],
        ["clean", "a.pdf"],
    ],
)
def test_a_mistake_is_2_and_no_traceback(arguments, tmp_path):
    """Forty lines of Python for a slip in a file's name."""
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_takes_one_line(capsys, tmp_path):
    """A message that says where and what, and fits a log."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "good"}\n{"text"')
    out = tmp_path / "out.jsonl"
    code = main(["dedup", str(bad), "-o", str(out), "--no-progress"])
    message = capsys.readouterr().err
    assert code == 2
    assert message.startswith(f"scratchlm: line 2 of {bad} is not JSON")
    assert message.count("\n") == 1
    assert not out.exists()


def test_a_full_disk_is_said_once():
    """Python fails again when it flushes at its exit, with code 120."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "scratchlm", "corpus", "python-docs"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "scratchlm: No space left on device"
    assert "Exception" not in done.stderr


def test_a_forbidden_file_is_named(monkeypatch, capsys):
    """An error without the name of the file."""

    def refuse(self):
        raise PermissionError(13, "Permission denied", "corpus.jsonl")

    monkeypatch.setattr(Corpus, "run", refuse)
    assert main(["corpus", "python-docs"]) == 2
    said = capsys.readouterr().err
    assert said == "scratchlm: corpus.jsonl: Permission denied\n"


def test_a_closed_pipe_ends_quietly():
    """A traceback after ``| head``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scratchlm", "corpus", "python-source"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert "scratchlm:" not in said
    assert "Traceback" not in said


def test_an_interrupt_is_130_and_leaves_nothing(tmp_path):
    """Half a corpus under its final name after Ctrl-C."""
    out = tmp_path / "world.jsonl"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "scratchlm", "corpus", "tinyworld"),
            *("--megabytes", "100000", "-o", str(out)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.iterdir()):
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130
    assert said.splitlines()[-1] == "scratchlm: interrupted"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "scratchlm: interrupted\n"),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
        (
            ConnectionError("cannot fetch\n it"),
            2,
            "scratchlm: cannot fetch it\n",
        ),
    ],
)
def test_each_end_has_its_code(monkeypatch, capsys, raised, code, said):
    """A script that cannot tell an interrupt from a mistake."""

    def stop(self):
        raise raised

    monkeypatch.setattr(Corpus, "run", stop)
    assert main(["corpus", "python-docs"]) == code
    assert capsys.readouterr().err == said


def test_a_bug_keeps_its_traceback(monkeypatch):
    """An error of ours that passes for one of the user's."""

    def fail(self):
        raise ZeroDivisionError

    monkeypatch.setattr(Corpus, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["corpus", "python-docs"])


def test_output_that_cannot_be_flushed_is_dropped(monkeypatch, tmp_path):
    """A second error when Python exits."""
    with (tmp_path / "out").open("w") as real:

        class Full:
            def flush(self):
                raise OSError(28, "No space left on device")

            def fileno(self):
                return real.fileno()

        monkeypatch.setattr(sys, "stdout", Full())
        program._drop_output()
        os.write(real.fileno(), b"dropped")
    assert (tmp_path / "out").read_bytes() == b""
