"""Three trees with one shape: book, lib, tests."""

import re
import subprocess
import sys

import pytest

from bookbuild import contents
from bookbuild.web.reference import chapter_of

SKIPPED = {"_build", "build", "node_modules", "__pycache__"}
READMES = {"README.md", "benchmarks/README.md"}
TREES = {"lib/scratchlm": "tests", "lib/bookbuild": "tests/bookbuild"}
# Parts whose folders are chapters; the others belong to no chapter's reading.
NO_PART = {"foundation", "interop", "recipes", "cli", "book"}
LISTED = re.compile(r"^```\{modules\} (?P<folder>[\w.]+)$", re.M)
QUOTED = re.compile(r"^```\{literalinclude\} \S*lib/(?P<path>\S+)\.py$", re.M)


def our_files(root):
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.is_file() and not any(
            part.startswith(".") or part in SKIPPED for part in parts
        ):
            yield path


def public_modules(tree):
    return [
        path
        for path in sorted(tree.rglob("*.py"))
        if not path.name.startswith("_")
    ]


def dotted(root, path):
    return ".".join(path.relative_to(root / "lib").with_suffix("").parts)


def missing_tests(root):
    wanted = [
        (root / tests / path.relative_to(root / tree)).with_name(
            f"test_{path.name}"
        )
        for tree, tests in TREES.items()
        for path in public_modules(root / tree)
    ]
    return [str(p.relative_to(root)) for p in wanted if not p.is_file()]


def modules_without_page(root):
    """List modules of a part that stand in no chapter's folder."""
    pages = {page.name for page in contents.book_pages(root)}
    package = root / "lib/scratchlm"
    return [
        str(path.relative_to(root))
        for path in public_modules(package)
        if len(path.relative_to(package).parts) > 1
        and path.relative_to(package).parts[0] not in NO_PART
        and chapter_of(dotted(root, path)) not in pages
    ]


def quotes_from_later(root):
    """List what a page quotes of a chapter that comes behind it."""
    names = [page.name for page in contents.book_pages(root)]
    return [
        f"book/{page.name}.md quotes {quoted['path']}.py"
        for page in contents.book_pages(root)
        for quoted in QUOTED.finditer(page.path.read_text("utf8"))
        if (chapter := chapter_of(quoted["path"].replace("/", ".")))
        and chapter not in names[: names.index(page.name) + 1]
    ]


def unlisted(root):
    """List the modules that the reference names twice, or never."""
    text = (root / "book/reference.md").read_text("utf8")
    folders = [f"{match['folder']}." for match in LISTED.finditer(text)]
    names = [
        dotted(root, path) for path in public_modules(root / "lib/scratchlm")
    ]
    return [
        name
        for name in names
        if not name.startswith("scratchlm.book.")
        and sum(f"{name}.".startswith(folder) for folder in folders) != 1
    ]


def test_each_module_has_a_test_in_the_same_place(root):
    """A reader who stands in one tree finds the other without a search."""
    missing = missing_tests(root)
    assert not missing, "\n".join(missing)


def test_each_folder_has_its_page(root):
    """From the code back to the page that derives it."""
    found = modules_without_page(root)
    assert not found, "\n".join(found)


def test_a_page_quotes_nothing_of_later_ones(root):
    """A reader would meet code whose parts nobody has explained yet."""
    found = quotes_from_later(root)
    assert not found, "\n".join(found)


def test_the_reference_lists_every_module(root):
    """A folder that the page of all public names leaves out."""
    found = unlisted(root)
    assert not found, "\n".join(found)


def test_the_reference_follows_the_contents(root):
    """A reader looks for a folder where its chapter stands."""
    text = (root / "book/reference.md").read_text("utf8")
    listed = [chapter_of(m["folder"]) for m in LISTED.finditer(text)]
    pages = [page.name for page in contents.book_pages(root)]
    parts = [
        page
        for page in listed
        if (root / "lib/scratchlm" / page.replace("-", "_")).is_dir() and page
    ]
    chapters = list(dict.fromkeys(parts))
    assert chapters == [page for page in pages if page in chapters]


def test_no_file_name_starts_with_a_digit(root):
    """LaTeX breaks on them, and _toc.yml does the numbering."""
    names = [p.relative_to(root) for p in our_files(root)]
    assert [str(name) for name in names if name.name[0].isdigit()] == []


def test_there_is_one_place_to_read_first(root):
    """A README in each folder is a book that nobody builds or tests."""
    found = {
        str(path.relative_to(root))
        for path in our_files(root)
        if path.name.lower().startswith("readme")
    }
    assert found <= READMES


def test_text_needs_no_torch(root):
    """Tokenizing a corpus must not load a gigabyte of tensors."""
    text = root / "lib/scratchlm/text"
    names = [dotted(root, path) for path in public_modules(text)]
    assert any(name.count(".") > 3 for name in names)
    program = (
        f"import sys, {', '.join(names)}\nsys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture
def bare_house(tmp_path):
    files = {
        "_toc.yml": "root: index\nchapters:\n- file: text/tokenizer\n"
        "- file: text/shards\n",
        "book/index.md": "",
        "book/reference.md": "```{modules} scratchlm.text.tokenizer\n```\n",
        "book/text/shards.md": "",
        "book/text/tokenizer.md": "```{literalinclude} "
        "../../lib/scratchlm/text/shards/packing.py\n```\n",
        "lib/bookbuild/run/keys.py": "",
        "lib/scratchlm/__main__.py": "",
        "lib/scratchlm/text/tokenizer/bpe.py": "",
        "lib/scratchlm/text/shards/packing.py": "",
        "lib/scratchlm/text/magic/spells.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_stands_apart_is_found(bare_house):
    """A rule that finds nothing in a bad sample guards nothing."""
    assert missing_tests(bare_house) == [
        "tests/text/magic/test_spells.py",
        "tests/text/shards/test_packing.py",
        "tests/text/tokenizer/test_bpe.py",
        "tests/bookbuild/run/test_keys.py",
    ]
    assert modules_without_page(bare_house) == [
        "lib/scratchlm/text/magic/spells.py"
    ]
    assert quotes_from_later(bare_house) == [
        "book/text/tokenizer.md quotes scratchlm/text/shards/packing.py"
    ]
    assert unlisted(bare_house) == [
        "scratchlm.text.magic.spells",
        "scratchlm.text.shards.packing",
    ]
