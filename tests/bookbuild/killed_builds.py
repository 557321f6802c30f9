"""Builds that are killed, each at a moment that no other met.

``python killed_builds.py REFERENCE KILLED`` builds the HTML of the checkout
REFERENCE, then that of KILLED in one process after another. Each process is
killed just before it changes ``_build`` in a way that none before it lived to
make, until one of them ends by itself. What they were about to do is printed
as JSON. Kernels and Sphinx are played, so that only our own work takes time.
"""

import json
import os
import re
import signal
import sys
import traceback
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from bookbuild import build, contents
from bookbuild.run import execute

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}
# A name drawn at random stands for all; so does what is put beside it.
ASIDE = re.compile(r"\.new-[^/]*(/[^/]*)?.*|[^/]*\.partial")


def play_cells(notebook, folder, settings, each_cell):
    each_cell(0)


def play_sphinx(command, log, *_):
    out = Path(command[command.index("--path-output") + 1], "_build/html")
    (out / "text").mkdir(parents=True)
    for name in ("index", "text/one", "text/two"):
        (out / f"{name}.html").write_text(name)
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    return 0


def change_below(folder, event, arguments):
    """Name the change that an event of the interpreter announces."""
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        path = arguments[0]
    elif event in CHANGES:
        path = arguments[event == "os.rename"]
    else:
        return ""
    inside = str(path).partition(f"{folder}/")[2]
    return inside and event + " " + ASIDE.sub(r"*\1", inside)


def end_before_a_new_change(folder, seen, report):
    """Let this process die before it changes a folder in a new way."""

    def look(event, arguments):
        change = change_below(folder, event, arguments)
        if change and change not in seen:
            os.write(report, change.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def build_apart(root, prepare):
    """Build in a process of its own; return its exit status.

    This one stays free of the threads that a build starts, some of them in
    Rust, without which a copy of it would wait for ever.
    """
    if not (child := os.fork()):
        try:
            prepare()
            os._exit(build.main(["html", "--root", str(root)]))
        except BaseException:
            traceback.print_exc()
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def changes_survived(root):
    """Kill builds until one ends; return what each was about to do."""
    seen = []
    while True:
        heard, report = os.pipe()
        kill = partial(end_before_a_new_change, root / "_build", seen, report)
        status = build_apart(root, kill)
        os.close(report)
        with open(heard) as pipe:
            change = pipe.read()
        if not change:
            assert status == 0, "a build after a kill failed"
            return seen
        assert status == -signal.SIGKILL
        seen.append(change)


if __name__ == "__main__":
    execute.fresh_home = lambda folder: nullcontext({})
    execute.run_notebook = play_cells
    build.run_logged = play_sphinx
    said, sys.stdout = sys.stdout, sys.stderr
    reference, killed = map(Path, sys.argv[1:])
    contents.sphinx_config(reference)  # what it imports serves all builds
    assert build_apart(reference, dict) == 0
    print(json.dumps(changes_survived(killed)), file=said)
