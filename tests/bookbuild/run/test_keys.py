"""A page runs again after a change in what it uses, and after no other."""

import shutil
from pathlib import Path

import nbformat
import pytest

from bookbuild.contents import (
    book_pages,
    is_notebook,
    parser_config,
    read_notebook,
    sphinx_config,
)
from bookbuild.run.keys import PageKeys, used_modules

ROOT = Path(__file__).parents[3]
V4 = nbformat.v4


def page(*cells):
    return V4.new_notebook(cells=[V4.new_code_cell(cell) for cell in cells])


def key(book, *cells):
    return PageKeys(book.root).key(page(*cells))


USES_BPE = "from scratchlm.text.tokenizer.bpe import PAIRS"


@pytest.mark.parametrize(
    "name",
    [
        "lib/scratchlm/text/tokenizer/bpe.py",
        "lib/scratchlm/text/__init__.py",
        "lib/scratchlm/text/tokenizer/table.json",
        "requirements.lock",
    ],
)
def test_the_key_covers_what_a_cell_can_see(tiny_book, name):
    """Each of these once changed an output without a new execution."""
    before = key(tiny_book, USES_BPE)
    tiny_book.write(name, "[2]\n")
    assert key(tiny_book, USES_BPE) != before


def test_other_modules_prose_and_byte_code_are_no_part_of_it(tiny_book):
    """An edit anywhere would run the whole book."""
    before = key(tiny_book, USES_BPE)
    tiny_book.write("lib/scratchlm/model/norm.py", "EPS = 1\n")
    tiny_book.write("lib/scratchlm/__pycache__/bpe.pyc", "code")
    tiny_book.write("book/results/speed.json", "{}")
    tiny_book.write("book/text/one.md", "# Another\n")
    assert key(tiny_book, USES_BPE) == before


def test_only_the_results_and_artifacts_that_are_named_count(tiny_book):
    """A new measurement of one page would run all that read any."""
    tiny_book.write("book/results/speed.json", "1")
    tiny_book.write("book/results/bytes.json", "1")
    tiny_book.write("book/artifacts/base/model.safetensors", "1")
    reads = ['result("speed")', "result(name)", 'artifact("base")']
    before = [key(tiny_book, code) for code in reads]
    tiny_book.write("book/results/bytes.json", "2")
    tiny_book.write("book/artifacts/base/model.safetensors", "2")
    after = [key(tiny_book, code) for code in reads]
    kept = [a == b for a, b in zip(before, after, strict=True)]
    assert kept == [True, False, False]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import os\nfrom scratchlm.a import (\n    b,\n)", {"scratchlm.a.b"}),
        ("def f():\n    import scratchlm.c", {"scratchlm.c"}),
        ("run('python -m scratchlm')", {"scratchlm.*"}),
        ("run([python, '-m', 'scratchlm'])", {"scratchlm.*"}),
        ("open('lib/scratchlm/a.py')", {"scratchlm.*"}),
        ("find_spec('scratchlm.a')", {"scratchlm.*"}),
        ("table(['scratchlm', 'tiktoken'], rows)", set()),
        ("%timeit f()", set()),
        ("!python -m scratchlm", {"scratchlm.*"}),
        ("import scratchlmless", set()),
    ],
)
def test_a_cell_says_what_it_uses(code, modules):
    """An import in a function, a program, a magic."""
    assert used_modules(code) == modules


def test_an_edit_of_the_experts_keeps_the_pages_on_text(tmp_path):
    """The whole book ran again after each edit of one module."""
    shutil.copytree(
        ROOT / "lib",
        tmp_path / "lib",
        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "fonts"),
    )
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    parser = parser_config(sphinx_config(ROOT))
    notebooks = {
        page.name: read_notebook(page, parser)
        for page in book_pages(ROOT)
        if is_notebook(page)
    }

    def keys():
        current = PageKeys(tmp_path)
        return {name: current.key(nb) for name, nb in notebooks.items()}

    before = keys()
    routing = tmp_path / "lib/scratchlm/model/experts/routing.py"
    routing.write_text(routing.read_text() + "# edited\n")
    after = keys()
    changed = {name for name in before if before[name] != after[name]}
    assert "model/experts" in changed
    assert not [name for name in changed if name.startswith("text/")]
