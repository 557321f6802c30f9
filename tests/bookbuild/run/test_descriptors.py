"""What a cell writes past Python is an output of that cell."""

import os
import subprocess
import sys
from types import SimpleNamespace

from nbformat import v4

from bookbuild.leash import lifeline
from bookbuild.run import descriptors, kernels

PROGRAM = """
import os, subprocess
print("python")
ran = subprocess.run(["sh", "-c", "echo program; echo careful >&2"])
length = os.write(1, b"c")
"""


def test_each_cell_gets_what_it_caused_once(tmp_path):
    """Read by a thread, one warning in ten came after the end of its cell,
    and was lost or stood below the next one."""
    cells = [v4.new_code_cell(PROGRAM) for _ in range(12)]
    cells.append(v4.new_code_cell("quiet = True"))
    env = kernels.environment(tmp_path)
    with lifeline() as end:
        settings = kernels.KernelSettings(timeout=60, env=env, end=end)
        notebook = v4.new_notebook(cells=cells)
        kernels.run_notebook(notebook, tmp_path, settings, id)
    said = [
        {output.name: output.text for output in cell.outputs} for cell in cells
    ]
    once = {"stdout": "python\nprogram\nc", "stderr": "careful\n"}
    assert said == [once] * 12 + [{}]


SHELL = """
import os
import sys
from types import SimpleNamespace
from bookbuild.run.descriptors import load_ipython_extension
hooks = {}
os.write(1, b"before")
events = SimpleNamespace(register=hooks.__setitem__)
load_ipython_extension(SimpleNamespace(events=events))
sys.stdout = open(sys.argv[1], "w")
os.write(1, b"during")
hooks["post_run_cell"](None)
hooks["post_run_cell"](None)
"""


def test_only_what_is_new_is_passed_on(tmp_path):
    """What a kernel says as it starts belongs to no cell."""
    with open(tmp_path / "out", "w+b") as out:
        subprocess.run(
            [sys.executable, "-c", SHELL, tmp_path / "passed"],
            stdout=out,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    assert (tmp_path / "out").read_bytes() == b"beforeduring"
    assert (tmp_path / "passed").read_text() == "during"


def test_the_extension_registers_itself(monkeypatch):
    """In this process, whose own output is no file that can be read."""
    monkeypatch.setattr(descriptors.os, "fstat", lambda _: os.stat(__file__))
    monkeypatch.setattr(descriptors.os, "pread", lambda *_: b"")
    called = {}
    events = SimpleNamespace(register=called.__setitem__)
    descriptors.load_ipython_extension(SimpleNamespace(events=events))
    called["post_run_cell"](None)
    assert list(called) == ["post_run_cell"]
