"""Execution runs what changed, all of it, and nothing else."""

import json
import re
import sys
from threading import Barrier

import pytest
from nbformat import v4

from bookbuild.leash import lifeline
from bookbuild.run import execute, kernels
from bookbuild.run.execute import ChapterError, execute_book


def run(book):
    done = execute_book(book.root, book.cache_root)
    return {each.page: each.status for each in done}


def test_only_what_changed_runs_again(tiny_book, no_kernels):
    """A cache keyed on cells alone shows stale output after a change in
    the package; one keyed on the whole book runs all for one comma."""
    cached = {"text/one": "cached", "text/two": "cached"}
    assert set(run(tiny_book).values()) == {"executed"}
    assert run(tiny_book) == cached
    path = tiny_book.root / "book/text/two.md"
    path.write_text(path.read_text() + "\nMore prose.\n")
    assert run(tiny_book) == cached
    path.write_text(path.read_text().replace("import os", "import os, re"))
    assert run(tiny_book) == {"text/one": "cached", "text/two": "executed"}
    tiny_book.write("requirements.lock", "one==2\n")
    assert set(run(tiny_book).values()) == {"executed"}
    assert run(tiny_book) == cached


def test_a_page_runs_again_after_an_edit_of_what_it_imports(
    tiny_book, no_kernels
):
    """A cache with one key for all pages ran each after an edit of one
    module; and the run of the old module must not come back."""
    for name in ("__init__", "bits", "dice"):
        tiny_book.write(f"lib/scratchlm/foundation/{name}.py", "")
    code = ["from scratchlm.foundation import bits"]
    tiny_book.chapter("text/two", cell_page("Two", code))
    assert set(run(tiny_book).values()) == {"executed"}
    tiny_book.write("lib/scratchlm/foundation/dice.py", "SIDES = 6\n")
    assert run(tiny_book) == {"text/one": "cached", "text/two": "cached"}
    tiny_book.write("lib/scratchlm/foundation/bits.py", "WORD = 64\n")
    assert run(tiny_book) == {"text/one": "cached", "text/two": "executed"}
    assert run(tiny_book) == {"text/one": "cached", "text/two": "cached"}


def cell_page(title, code):
    lines = ["# " + title, "", "```{code-cell} python", *code, "```", ""]
    return "\n".join(lines)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(execute, "n_workers", lambda _: 2)


def test_chapters_run_side_by_side(tiny_book, two_cores, monkeypatch):
    """One after the other, the book takes twice the time on two cores. Each
    of these waits for the other."""
    both = Barrier(2, timeout=30)
    monkeypatch.setattr(execute, "run_notebook", lambda *_: both.wait())
    assert set(run(tiny_book).values()) == {"executed"}
    assert run(tiny_book) == {"text/one": "cached", "text/two": "cached"}


def test_a_failing_chapter_ends_the_one_beside_it(
    tiny_book, two_cores, witness
):
    """The build would wait for it, or leave it behind as an orphan."""
    script = f"touch begun; {witness.script}"
    waits = ["import subprocess", f"subprocess.run(['sh', '-c', {script!r}])"]
    tiny_book.chapter("text/one", cell_page("One", waits))
    fails = ["import os, time", "while not os.path.exists('begun'):"]
    fails += ["    time.sleep(0.01)", "1 / 0"]
    tiny_book.chapter("text/two", cell_page("Two", fails))
    with pytest.raises(ChapterError, match=r"(?s)text/two.*ZeroDivision"):
        run(tiny_book)
    witness.wait_for_end()


def test_a_failing_cell_is_shown_and_not_cached(executed_book, monkeypatch):
    """A cached failure would pass the second time."""
    executed_book.chapter(
        "text/two",
        """\
        # Two

        ```{code-cell} python
        print("fine")
        ```

        ```{code-cell} python
        numbers = [1]
        numbers[7]
        ```

        ```{code-cell} python
        print("never")
        ```
        """,
    )
    with pytest.raises(ChapterError) as caught:
        run(executed_book)
    message = str(caught.value)
    lines = (executed_book.root / "book/text/two.md").read_text().splitlines()
    line = lines.index("numbers = [1]")
    assert f"book/text/two.md, cell at line {line}" in message
    assert "1 | numbers = [1]\n    2 | numbers[7]" in message
    assert "IndexError: list index out of range" in message
    assert "never" not in message
    assert "\x1b" not in message
    monkeypatch.setattr(execute, "run_notebook", lambda *_: None)
    again = run(executed_book)
    assert again == {"text/one": "cached", "text/two": "executed"}


WARNINGS = {
    "print": 'import sys; print("careful", file=sys.stderr)',
    "warning": 'import warnings; warnings.warn("careful")',
    "C++": 'import os; os.write(2, b"[W1121 csrc/a.cpp:7] careful\\n");',
}


@pytest.fixture(scope="module")
def warned(tmp_path_factory):
    """What each of the cells above leaves, from one kernel."""
    folder = tmp_path_factory.mktemp("warned")
    cells = [v4.new_code_cell(source) for source in WARNINGS.values()]
    with lifeline() as end:
        env = kernels.environment(folder)
        settings = kernels.KernelSettings(timeout=60, env=env, end=end)
        notebook = v4.new_notebook(cells=cells)
        kernels.run_notebook(notebook, folder, settings, id)
    outputs = [cell.outputs for cell in cells]
    return dict(zip(WARNINGS, outputs, strict=True))


@pytest.mark.parametrize("kind", WARNINGS)
def test_a_warning_in_a_page_is_a_failure(
    executed_book, monkeypatch, warned, kind
):
    """Sphinx would stop at it only after the whole book has run. PyTorch
    warns from Python, and from C++ past Python's own stderr."""

    def replay(notebook, *_):
        notebook.cells[-1].outputs = warned[kind]

    monkeypatch.setattr(execute, "run_notebook", replay)
    page = cell_page("Two", [WARNINGS[kind]])
    executed_book.chapter("text/two", page)
    with pytest.raises(ChapterError, match=r"(?s)stderr.*careful.*Mend"):
        run(executed_book)
    allowed = page.replace("python\n", "python\n:tags: [remove-stderr]\n")
    executed_book.chapter("text/two", allowed)
    assert run(executed_book)["text/two"] == "executed"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import time; time.sleep(60)", "timed out"),
        ("import os; os._exit(3)", "died"),
        ("import ctypes; ctypes.string_at(0)", "died.*Fatal Python error"),
    ],
    ids=["hangs", "exits", "crashes"],
)
def test_a_cell_that_hangs_or_dies_is_named(executed_book, code, words):
    """Neither leaves an output; the cell after it was shown in its place."""
    cells = [cell_page("Two", [line]) for line in ("ready = 1", code, "no")]
    executed_book.chapter("text/two", "\n".join(cells))
    config = (executed_book.root / "_config.yml").read_text()
    executed_book.write("_config.yml", config.replace("out: 60", "out: 2"))
    named = rf"(?s)1 \| {re.escape(code)}\n\n.*{words}"
    with pytest.raises(ChapterError, match=named):
        run(executed_book)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_run_cut_off_while_it_wrote_is_a_miss(
    executed_book, no_kernels, damage
):
    """jupyter-cache writes its record before the file, so that a kill in
    between left a hit that no later run could read."""
    for path in executed_book.cache_root.rglob("base.ipynb"):
        if "getcwd" not in path.read_text():
            continue
        if damage == "missing":
            path.unlink()
        else:
            path.write_text(path.read_text()[:40])
    assert run(executed_book) == {"text/one": "cached", "text/two": "executed"}
    assert run(executed_book) == {"text/one": "cached", "text/two": "cached"}


def test_cells_run_beside_their_page_in_this_python(executed_book):
    """A kernel installed in the user's home would see other packages."""
    executed_book.chapter(
        "text/two",
        """\
        # Two

        ```{code-cell} python
        import os, sys

        print(os.getcwd(), sys.prefix, sep="|")
        ```
        """,
    )
    run(executed_book)
    outputs = [
        output["text"]
        for path in executed_book.cache_root.rglob("base.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        for output in cell["outputs"]
        if "text" in output
    ]
    here = f"{executed_book.root / 'book/text'}|{sys.prefix}\n"
    assert [here] in outputs


def test_a_notebook_without_code_is_cached_but_not_listed(
    tiny_book, no_kernels
):
    """Sphinx starts a kernel for a page that the cache does not hold."""
    tiny_book.chapter("text/two", "# Two\n\nProse.\n")
    assert run(tiny_book) == {"text/one": "executed"}
    assert run(tiny_book) == {"text/one": "cached"}
