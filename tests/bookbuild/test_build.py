"""The whole build, on a book of two chapters."""

import signal
import subprocess
import sys
import time

import pytest

from bookbuild import build
from bookbuild.run import stages
from bookbuild.run.execute import Execution

PAGE = "_build/html/text/one.html"


@pytest.fixture
def fake_tex(monkeypatch):
    """A TeX that is complete and typesets at once."""

    def build_pdf(latex, out):
        assert (latex / build.PDF).with_suffix(".tex").is_file()
        out.write_bytes(b"%PDF")

    monkeypatch.setattr(build.tex, "find_tex", list)
    monkeypatch.setattr(build.tex, "build_pdf", build_pdf)
    return monkeypatch


def make(book, target="all"):
    return build.main([target, "--root", str(book.root)])


def test_one_command_makes_everything_and_the_next_nothing(
    tiny_book, fake_tex, capfd
):
    """A second run that repeats work costs a reader minutes each time."""
    assert make(tiny_book) == 0
    first = capfd.readouterr()
    assert "text/one" in first.out
    assert first.out.count("executed") == 2
    html = tiny_book.root / "_build/html"
    assert "The total is <span" in (html / "text/one.html").read_text()
    assert (html / "_sources/text/one.ipynb").is_file()
    assert (html / "_sources/text/one.md").is_file()
    assert (html / build.PDF).read_bytes() == b"%PDF"
    assert (tiny_book.root / "_build/pdf" / build.PDF).is_file()
    assert "reading sources" not in first.out + first.err

    fake_tex.setattr(build, "run_logged", lambda *_: pytest.fail("again"))
    assert make(tiny_book) == 0
    second = capfd.readouterr().out
    assert second.count("cached") == 2
    assert "executed" not in second
    pdf = tiny_book.root / "_build/pdf" / build.PDF
    assert f"pdf        {pdf}" in second


def test_a_change_in_the_package_reaches_a_page_of_equal_text(
    executed_book, fake_tex
):
    """Sphinx compares the text of pages; their outputs it does not see."""
    executed_book.chapter(
        "text/one",
        "(one)=\n# One\n\n{ref}`two`\n\n```{code-cell} python\n"
        "print(open('../../lib/scratchlm/text/tokenizer/bpe.py').read())\n```\n",
    )
    assert make(executed_book, "html") == 0
    assert "PAIRS" in (executed_book.root / PAGE).read_text()
    executed_book.write("lib/scratchlm/text/tokenizer/bpe.py", "COUPLES = 1\n")
    assert make(executed_book, "html") == 0
    assert "COUPLES" in (executed_book.root / PAGE).read_text()


def test_a_warning_fails_the_build_and_is_shown(
    executed_book, fake_tex, capfd
):
    """A dangling reference must not reach the reader."""
    path = executed_book.chapter(
        "text/two", "(two)=\n# Two\n\n```{note}\n```\n"
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
    executed_book, monkeypatch, capfd
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


def test_sphinx_may_not_execute(tiny_book, fake_tex, capfd):
    """A reader that differs from Sphinx's would run each chapter twice."""

    def empty_cache(*_):
        return []

    fake_tex.setattr(build, "execute_book", empty_cache)
    fake_tex.setattr(build.Book, "_notebooks", lambda _, t: t.mkdir())
    assert make(tiny_book, "html") == 1
    assert "Sphinx executed a page" in capfd.readouterr().err


def test_an_interrupted_build_is_resumed(tiny_book):
    """Whatever the moment of the kill, the next build ends complete."""
    command = [sys.executable, "-m", "bookbuild.build", "html"]
    for patience in (3.0, 7.0):
        process = subprocess.Popen(
            [*command, "--root", str(tiny_book.root)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(patience)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert make(tiny_book, "html") == 0
    assert (tiny_book.root / PAGE).is_file()
    assert (tiny_book.root / "_build/html/_sources/text/one.ipynb").is_file()
    assert not list((tiny_book.root / "_build").glob(".new-*"))


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
