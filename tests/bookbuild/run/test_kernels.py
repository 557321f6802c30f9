"""A kernel sees this Python, and nothing of the user's home."""

import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import nbformat
import pytest

from bookbuild.leash import lifeline
from bookbuild.run import kernels

# A build that lists no fonts: they take longer than all else here.
BUILD = """
import sys
from contextlib import nullcontext
from bookbuild import build
from bookbuild.run import execute, kernels
execute.fresh_home = lambda home: nullcontext(kernels.environment(home))
sys.exit(build.main(["html", "--root", sys.argv[1]]))
"""


def run(source, folder, env):
    cell = nbformat.v4.new_code_cell(source)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with lifeline() as end:
        settings = kernels.KernelSettings(timeout=120, env=env, end=end)
        kernels.run_notebook(notebook, folder, settings, id)
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.fixture
def waiting_book(executed_book, witness):
    """A book whose first cell runs until it is ended."""
    executed_book.chapter(
        "text/one",
        f"""\
        # One

        ```{{code-cell}} python
        import subprocess

        subprocess.run(["sh", "-c", {witness.script!r}])
        ```
        """,
    )
    return executed_book


@pytest.fixture
def users_home(tmp_path, monkeypatch):
    """A home whose owner has taste, and a font list that went stale."""
    home = tmp_path / "home"
    settings = home / ".config" / "matplotlib"
    profile = home / ".ipython" / "profile_default" / "startup"
    for folder in (settings, profile):
        folder.mkdir(parents=True)
    (settings / "matplotlibrc").write_text("axes.linewidth: 7\n")
    startup = profile / "mine.py"
    startup.write_text("print('hello, it is me')\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MPLBACKEND", "nowhere")
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))
    monkeypatch.setenv("MATPLOTLIBRC", str(settings))
    for name in ("MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return home


FIGURE = """
import json, warnings
import matplotlib as mpl
from matplotlib import font_manager
from scratchlm.book import style
style.use()
fig, ax = style.figure()
ax.set_title("$\\\\sum x \\\\mapsto y$")
fig.savefig("out.svg")
stix = sum(e.name.startswith("STIX") for e in font_manager.fontManager.ttflist)
print(json.dumps([mpl.get_configdir(), mpl.get_cachedir(), stix]))
"""


def spoil(home):
    """Leave the list of a matplotlib whose files went as it was made."""
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        check=True,
        env={k: v for k, v in os.environ.items() if k not in kernels.FOREIGN},
    )
    (path,) = home.rglob("fontlist*.json")
    fonts = json.loads(path.read_text())
    fonts["ttflist"] = [
        font for font in fonts["ttflist"] if "STIX" not in font["name"]
    ]
    path.write_text(json.dumps(fonts))


def test_nothing_of_the_users_home_reaches_a_page(tmp_path, users_home):
    """A spoilt font list in the home stopped the next build at a missing
    STIX face; settings and start-up files there would show on the pages.

    The list of the build is made before the first kernel. Made by a page, it
    takes long on a busy machine, and matplotlib warns about that where the
    reader would see it.
    """
    spoil(users_home)
    build = tmp_path / "_build"
    build.mkdir()
    with kernels.fresh_home(build) as env:
        assert list(Path(env["MPLCONFIGDIR"]).glob("fontlist*.json"))
        said = run(FIGURE, tmp_path, env)
    config, cache, stix = json.loads(said)
    assert {Path(config).parent.parent, Path(cache).parent.parent} == {build}
    assert stix > 0
    assert list(build.iterdir()) == []


def test_a_kernel_keeps_the_rest_of_the_environment(tmp_path, monkeypatch):
    """Without PATH or SCRATCHLM_DATA, cells miss programs and data."""
    for name in (*kernels.FOREIGN, "PATH", "SCRATCHLM_DATA"):
        monkeypatch.setenv(name, f"my {name}")
    env = kernels.environment(tmp_path)
    assert env["PATH"] == "my PATH"
    assert env["SCRATCHLM_DATA"] == "my SCRATCHLM_DATA"
    assert not set(env) & set(kernels.FOREIGN)


def test_tests_run_where_the_build_ran(tmp_path, monkeypatch):
    """Run again among the user's settings, a page has other outputs."""
    show = "import os; print(os.environ['IPYTHONDIR'], file=open('said', 'w'))"
    program = f"{show}; raise SystemExit(6)"
    # The program draws nothing, so that the list of fonts can wait.
    monkeypatch.setattr(kernels, "leashed", lambda *_, **__: nullcontext())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["", sys.executable, "-c", program])
    assert kernels.main() == 6
    assert ".new-" in Path("said").read_text()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels.subprocess, "run", interrupted)
    assert kernels.main() == 130


def test_no_program_is_an_error_that_says_so(monkeypatch, capsys):
    """A traceback from deep inside subprocess."""
    monkeypatch.setattr(sys, "argv", ["kernels"])
    assert kernels.main() == 2
    assert "PROGRAM" in capsys.readouterr().err


def test_progress_bars_load_without_a_warning(tmp_path):
    """Whatever imports transformers wrote to stderr that a widget is
    missing, and no page with it could be built."""
    env = kernels.environment(tmp_path)
    assert run("import tqdm.auto", tmp_path, env) == ""


def test_a_cell_that_waits_ends_with_the_build(waiting_book, witness):
    """ipykernel notices its parent's end only each second, and what its
    cells have started not at all."""
    with subprocess.Popen(
        [sys.executable, "-c", BUILD, str(waiting_book.root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as parent:
        witness.wait_for_start()
        parent.kill()
    witness.wait_for_end()


def obey_control_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_control_c_stops_a_chapter_and_blames_nobody(waiting_book, witness):
    """nbclient answered it first, and the reader was shown a cell that "does
    not run" below a traceback from the depths of asyncio."""
    with subprocess.Popen(
        [sys.executable, "-c", BUILD, str(waiting_book.root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Control-C, and hands
        # that down.
        preexec_fn=obey_control_c,  # noqa: PLW1509
    ) as process:
        witness.wait_for_start()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    witness.wait_for_end()
    assert process.returncode == 130
    assert said.endswith("\ninterrupted; the next build resumes\n")
    assert "Traceback" not in said
