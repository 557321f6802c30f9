"""Each benchmark runs to its end, on inputs too small to measure anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SMALL = {
    "kernels.py": "--interpret",
    "model.py": (
        "--only eager --dtypes float32 --sizes 7M --shape 1x16"
        " --rounds 1 --starts 1"
    ),
    "text.py": "--megabytes 0.1 --rounds 1 --stream-megabytes 1",
    "text_batches.py": (
        "--tokens 400000 --rounds 1 --most-steps 3 --documents 10000"
    ),
    "text_dedup.py": "--documents 60 --rounds 1",
}


def tables(printed):
    """The rows below each heading."""
    headed = re.split(r"^\|(?: --- \|)+\n", printed, flags=re.MULTILINE)[1:]
    return [re.findall(r"^\|.*\|$", part, re.MULTILINE) for part in headed]


def test_no_script_is_left_out():
    """A new benchmark that nothing runs until someone wants its figures."""
    assert {path.name for path in FOLDER.glob("*.py")} == set(SMALL)


@pytest.mark.parametrize(
    ("script", "arguments"),
    [*SMALL.items(), ("model.py", SMALL["model.py"] + " --shares")],
)
def test_a_small_run_fills_every_table(script, arguments, tmp_path):
    """A benchmark that breaks with the interface that it measures, and two
    sides whose results are not the same."""
    done = subprocess.run(
        [sys.executable, FOLDER / script, *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = tables(done.stdout)
    assert found
    assert all(found)
    assert not re.search(r"differ|\bnan\b", done.stdout, re.IGNORECASE)
    assert list(tmp_path.iterdir()) == []
