"""The whole build, on a book of two chapters."""

import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from bookbuild import build
from bookbuild.run import stages
from bookbuild.run.execute import Execution

KILLED_BUILDS = Path(__file__).with_name("killed_builds.py")
PAGE = "_build/html/text/one.html"
ONE_CELL = "# A page\n\n```{code-cell} python\n1\n```\n"
SHOWN = "lib/scratchlm/text/tokenizer/bpe.py"
SHOWS_THE_PACKAGE = f"""\
    (two)=
    # Two

    ```{{code-cell}} python
    print(open("../../{SHOWN}").read())
    ```
    """


def find_all_of_tex(patch):
    """Let TeX be complete, and typeset at once."""

    def build_pdf(latex, out):
        assert (latex / build.PDF).with_suffix(".tex").is_file()
        out.write_bytes(b"%PDF")

    patch.setattr(build.tex, "find_tex", list)
    patch.setattr(build.tex, "build_pdf", build_pdf)


@pytest.fixture
def fake_tex(monkeypatch):
    find_all_of_tex(monkeypatch)
    return monkeypatch


@pytest.fixture
def fake_sphinx(monkeypatch):
    """A Jupyter Book that writes one page, at once."""

    def write_page(command, log, *_):
        out = Path(command[command.index("--path-output") + 1])
        page = out / "_build/html" / Path(PAGE).relative_to("_build/html")
        page.parent.mkdir(parents=True)
        page.write_text("One")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        return 0

    monkeypatch.setattr(build, "run_logged", write_page)


def make(book, target="all"):
    return build.main([target, "--root", str(book.root)])


@pytest.fixture(scope="session")
def built_once(once, executed_once, write_tiny_book):
    """A checkout, all of it built by one command, and what that said in the
    file ``said``. The first chapter had run before."""

    def fill(root):
        book = write_tiny_book(root)
        shutil.copytree(executed_once, book.cache_root)
        book.chapter("text/two", SHOWS_THE_PACKAGE)
        with (
            pytest.MonkeyPatch.context() as patch,
            open(root / "said", "w") as said,
            redirect_stdout(said),
        ):
            find_all_of_tex(patch)
            assert make(book) == 0

    return once("built", fill)


@pytest.fixture
def built_book(tiny_book, built_once):
    """A checkout that is built, and may be changed."""
    shutil.copytree(built_once, tiny_book.root, dirs_exist_ok=True)
    return tiny_book


@pytest.mark.slow("Sphinx writes HTML and LaTeX, which other tests use too")
def test_one_command_makes_everything(built_once):
    """Each output once had a command of its own, and one was forgotten."""
    said = (built_once / "said").read_text().splitlines()
    table = [line.split() for line in said if line.startswith("text/")]
    assert [(row[0], row[2]) for row in table] == [
        ("text/one", "cached"),
        ("text/two", "executed"),
    ]
    html = built_once / "_build/html"
    assert "The total is <span" in (html / "text/one.html").read_text()
    assert (html / "_sources/text/one.ipynb").is_file()
    assert (html / "_sources/text/one.md").is_file()
    assert (html / build.PDF).read_bytes() == b"%PDF"
    assert (built_once / "_build/pdf" / build.PDF).is_file()


def test_the_next_command_makes_nothing(built_book, fake_tex, capfd):
    """A second run that repeats work costs a reader minutes each time."""
    fake_tex.setattr(build, "run_logged", lambda *_: pytest.fail("again"))
    assert make(built_book) == 0
    second = capfd.readouterr().out
    assert second.count("cached") == 2
    assert "executed" not in second
    pdf = built_book.root / "_build/pdf" / build.PDF
    assert f"pdf        {pdf}" in second


def test_a_change_in_the_package_reaches_a_page_of_equal_text(
    built_book, fake_tex, capfd
):
    """Sphinx compares the text of pages; their outputs it does not see."""
    page = (built_book.root / PAGE).with_name("two.html")
    assert "PAIRS" in page.read_text()
    built_book.write(SHOWN, "COUPLES = 1\n")
    assert make(built_book, "html") == 0
    assert "COUPLES" in page.read_text()
    shown = capfd.readouterr()
    assert "reading sources" not in shown.out + shown.err


def test_a_warning_fails_the_build_and_is_shown(
    executed_book, fake_tex, capfd
):
    """A listing without its colours must not reach the reader."""
    path = executed_book.chapter(
        "text/two", "(two)=\n# Two\n\n```pyhton\nx = 1\n```\n"
    )
    assert make(executed_book, "html") == 1
    shown = capfd.readouterr().err
    assert f"{path}:" in shown
    assert "html failed; the whole log is in" in shown
    assert not (executed_book.root / PAGE).exists()
    log = executed_book.root / "_build/logs/html.log"
    assert "reading sources" in log.read_text()


def test_a_failing_chapter_stops_the_build(executed_book, fake_tex, capfd):
    """Its old page would be published with the new ones."""
    executed_book.chapter(
        "text/two", "# Two\n\n```{code-cell} python\n1 / 0\n```\n"
    )
    assert make(executed_book) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert not (executed_book.root / "_build/html").exists()


def test_without_tex_the_html_is_finished_and_the_remedy_told(
    executed_book, fake_sphinx, monkeypatch, capfd
):
    """A reader without TeX still gets the book, and one command to run."""
    monkeypatch.setattr(build.tex, "find_tex", lambda: ["xelatex"])
    monkeypatch.setattr(build.tex, "install_tex", lambda: "dnf install it")
    assert make(executed_book) == 1
    shown = capfd.readouterr()
    assert "TeX lacks xelatex.\ndnf install it" in shown.err
    assert (executed_book.root / PAGE).is_file()
    assert not (executed_book.root / "_build/pdf").exists()


def test_tex_is_installed_where_that_is_possible(monkeypatch):
    """Root on Debian needs no command to copy."""
    missing = [["xelatex"], []]
    monkeypatch.setattr(build.tex, "find_tex", lambda: missing.pop(0))
    monkeypatch.setattr(build.tex, "install_tex", lambda: "")
    assert build.prepare_tex() == ""


def test_a_failed_installation_is_a_remedy_not_a_crash(monkeypatch):
    """Without a network apt-get fails, and the HTML must still be made."""

    def fail():
        raise build.tex.TexError("apt-get failed")

    monkeypatch.setattr(build.tex, "find_tex", lambda: ["xelatex"])
    monkeypatch.setattr(build.tex, "install_tex", fail)
    assert build.prepare_tex().endswith("apt-get failed")


def test_sphinx_may_not_execute(executed_book, fake_tex, capfd):
    """A reader that differs from Sphinx's would run each chapter twice."""
    executed_book.chapter("text/two", f"(two)=\n{ONE_CELL}")
    fake_tex.setattr(build, "execute_book", lambda *_: [])
    fake_tex.setattr(
        build.Book, "_notebooks", lambda _, end, target: target.mkdir()
    )
    assert make(executed_book, "html") == 1
    assert "Sphinx executed a page" in capfd.readouterr().err


def built(root):
    """Each file that a build made, and its bytes, those of the cache aside."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("html", "notebooks", ".stamps")
        for path in (root / "_build" / folder).rglob("*")
        if path.is_file()
    }


@pytest.mark.slow("one build for each moment, some forty")
def test_an_interrupted_build_is_resumed(tmp_path, write_tiny_book):
    """Whatever the moment of the kill, the next build ends complete."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for root in (whole, killed):
        write_tiny_book(root).chapter("text/one", ONE_CELL)
    done = subprocess.run(
        [sys.executable, KILLED_BUILDS, whole, killed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    moments = json.loads(done.stdout)
    assert {
        "open */_build",  # Sphinx writes
        "os.rename html",  # all is written, and takes its place
        "os.rename .stamps/html.json",
    } <= set(moments)
    # The first chapter was kept, the second not yet.
    assert sum(moment.endswith("base.ipynb") for moment in moments) == 2
    assert built(killed) == built(whole)
    assert not list((killed / "_build").glob(".new-*"))


KILLED = """
import sys
from bookbuild import build
script, root = sys.argv[1:]
build.JUPYTER_BOOK = f"import os; os.execlp('sh', 'sh', '-c', {script!r})"
build.main(["html", "--root", root])
"""


def test_a_killed_build_takes_sphinx_along(executed_book, witness):
    """Sphinx went on writing under the eyes of the next build, whose HTML
    then lacked what it had swept away, or held what was left behind."""
    command = [sys.executable, "-c", KILLED, witness.script]
    with subprocess.Popen(
        [*command, str(executed_book.root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        witness.wait_for_start()
        process.kill()
    witness.wait_for_end()


def test_control_c_ends_without_a_traceback(tiny_book, monkeypatch, capfd):
    """A reader who stops a build has made no mistake."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "build", interrupt)
    assert make(tiny_book) == 130
    assert "the next build resumes" in capfd.readouterr().err


def test_a_second_build_is_told_to_wait(tiny_book, capfd):
    """Two builds in one folder would mix their outputs."""
    with stages.only_build(tiny_book.root / "_build"):
        assert make(tiny_book, "notebooks") == 1
    assert "wait until it ends" in capfd.readouterr().err


def test_outside_a_checkout_the_error_says_so(tmp_path, capsys):
    """A stack trace about a missing file helps nobody."""
    with pytest.raises(SystemExit):
        build.main(["--root", str(tmp_path)])
    assert "run it in the checkout" in capsys.readouterr().err


def test_the_summary_is_a_table():
    """Chapter, seconds, and executed or cached, in columns."""
    rows = [
        Execution(page="text/tokenizer", seconds=41.26, status="executed"),
        Execution(page="setup", seconds=1.0, status="cached"),
    ]
    assert build.summary(rows) == (
        "chapter         seconds\n"
        "text/tokenizer     41.3  executed\n"
        "setup               1.0  cached"
    )
