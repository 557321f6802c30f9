"""Execution runs what changed, all of it, and nothing else."""

import json
import os

import pytest

from bookbuild.run import execute
from bookbuild.run.execute import ChapterError, execute_book


def run(book):
    done = execute_book(book.root, book.cache_root)
    return {each.page: each.status for each in done}


def test_only_what_changed_runs_again(tiny_book):
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
    tiny_book.write("lib/scratchlm/text/tokenizer/bpe.py", "PAIRS = 2\n")
    assert set(run(tiny_book).values()) == {"executed"}


def cell_page(title, code):
    lines = ["# " + title, "", "```{code-cell} python", *code, "```", ""]
    return "\n".join(lines)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(execute, "n_workers", lambda _: 2)


def wait_for(name):
    """Code that ends once another chapter has touched a file."""
    return [
        "import time",
        "from pathlib import Path",
        "for _ in range(300):",
        f"    if Path({name!r}).exists(): break",
        "    time.sleep(0.1)",
        "else: raise TimeoutError",
    ]


def test_chapters_run_side_by_side(tiny_book, two_cores):
    """One after the other, the book takes twice the time on two cores. Each
    of these waits for the other."""
    for own, other in [("one", "two"), ("two", "one")]:
        touch = f"open({own!r}, 'w').close()"
        code = [touch, *wait_for(other)]
        tiny_book.chapter(f"text/{own}", cell_page(own, code))
    assert set(run(tiny_book).values()) == {"executed"}
    assert run(tiny_book) == {"text/one": "cached", "text/two": "cached"}


def test_a_failing_chapter_ends_the_one_beside_it(
    tiny_book, two_cores, witness
):
    """The build would wait for it, or leave it behind as an orphan."""
    script = f"touch begun; {witness.script}"
    waits = ["import subprocess", f"subprocess.run(['sh', '-c', {script!r}])"]
    tiny_book.chapter("text/one", cell_page("One", waits))
    fails = [*wait_for("begun"), "1 / 0"]
    tiny_book.chapter("text/two", cell_page("Two", fails))
    with pytest.raises(ChapterError, match=r"(?s)text/two.*ZeroDivision"):
        run(tiny_book)
    witness.wait_for_end()


def test_the_key_covers_what_a_cell_can_see(tiny_book):
    """Each of these once changed an output without a new execution."""
    root = tiny_book.root
    keys = [execute.source_key(root)]
    tiny_book.write("lib/scratchlm/text/table.json", "[1]")
    keys.append(execute.source_key(root))
    tiny_book.write("requirements.lock", "one==2\n")
    keys.append(execute.source_key(root))
    tiny_book.write("book/results/speed.json", "{}")
    keys.append(execute.source_key(root))
    (root / "lib/scratchlm/text/table.json").rename(
        root / "lib/scratchlm/text/other.json"
    )
    keys.append(execute.source_key(root))
    assert len(set(keys)) == len(keys)
    tiny_book.write("lib/scratchlm/__pycache__/bpe.pyc", "code")
    assert execute.source_key(root) == keys[-1]


def test_two_caches_are_kept(tiny_book):
    """Without a limit each commit leaves a full set of outputs behind."""
    folders = []
    for number in range(4):
        tiny_book.write("requirements.lock", f"one=={number}\n")
        folder = execute.keyed_cache(tiny_book.root, tiny_book.cache_root)
        os.utime(folder, (number, number))
        folders.append(folder)
    assert sorted(tiny_book.cache_root.iterdir()) == sorted(folders[-2:])


def test_a_failing_cell_is_shown_and_not_cached(tiny_book):
    """A cached failure would pass the second time."""
    tiny_book.chapter(
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
    for _ in range(2):
        with pytest.raises(ChapterError) as caught:
            run(tiny_book)
    message = str(caught.value)
    lines = (tiny_book.root / "book/text/two.md").read_text().splitlines()
    line = lines.index("numbers = [1]")
    assert f"book/text/two.md, cell at line {line}" in message
    assert "1 | numbers = [1]\n    2 | numbers[7]" in message
    assert "IndexError: list index out of range" in message
    assert "never" not in message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    "warn",
    [
        'import sys; print("careful", file=sys.stderr)',
        'import warnings; warnings.warn("careful")',
        'import os; os.write(2, b"[W1121 csrc/a.cpp:7] careful\\n");',
    ],
    ids=["print", "warning", "C++"],
)
def test_a_warning_in_a_page_is_a_failure(tiny_book, warn):
    """Sphinx would stop at it only after the whole book has run. PyTorch
    warns from Python, and from C++ past Python's own stderr."""
    cell = f"""\
        # Two

        ```{{code-cell}} python
        {warn}
        ```
        """
    tiny_book.chapter("text/two", cell)
    with pytest.raises(ChapterError, match=r"(?s)stderr.*careful.*Mend"):
        run(tiny_book)
    allowed = cell.replace(
        "python\n", "python\n        :tags: [remove-stderr]\n"
    )
    tiny_book.chapter("text/two", allowed)
    assert run(tiny_book)["text/two"] == "executed"


def test_a_cell_that_hangs_or_dies_is_named(tiny_book):
    """Neither leaves an output; the cell after it was shown in its place."""
    tiny_book.chapter("text/one", "# One\n")
    tiny_book.chapter(
        "text/two",
        """\
        # Two

        ```{code-cell} python
        started = True
        ```

        ```{code-cell} python
        import time

        time.sleep(60)
        ```

        ```{code-cell} python
        never = True
        ```
        """,
    )
    config = (tiny_book.root / "_config.yml").read_text()
    tiny_book.write("_config.yml", config.replace("out: 60", "out: 2"))
    with pytest.raises(ChapterError, match=r"(?s)time.sleep\(60\).*timed out"):
        run(tiny_book)
    tiny_book.chapter(
        "text/two",
        "# Two\n\n```{code-cell} python\nimport os; os._exit(3)\n```\n",
    )
    with pytest.raises(ChapterError, match=r"(?s)os._exit\(3\).*died"):
        run(tiny_book)
    tiny_book.chapter(
        "text/two",
        "# Two\n\n```{code-cell} python\n"
        "import ctypes; ctypes.string_at(0)\n```\n",
    )
    with pytest.raises(ChapterError, match=r"(?s)died.*Fatal Python error"):
        run(tiny_book)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_run_cut_off_while_it_wrote_is_a_miss(executed_book, damage):
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


def test_cells_run_beside_their_page_in_this_python(tiny_book):
    """A kernel installed in the user's home would see other packages."""
    tiny_book.chapter(
        "text/two",
        """\
        # Two

        ```{code-cell} python
        import os, sys

        print(os.getcwd(), sys.prefix, sep="|")
        ```
        """,
    )
    run(tiny_book)
    outputs = [
        output["text"]
        for path in tiny_book.cache_root.rglob("base.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        for output in cell["outputs"]
        if "text" in output
    ]
    import sys

    here = f"{tiny_book.root / 'book/text'}|{sys.prefix}\n"
    assert [here] in outputs


def test_a_notebook_without_code_is_cached_but_not_listed(tiny_book):
    """Sphinx starts a kernel for a page that the cache does not hold."""
    tiny_book.chapter("text/two", "# Two\n\nProse.\n")
    assert run(tiny_book) == {"text/one": "executed"}
    assert run(tiny_book) == {"text/one": "cached"}
