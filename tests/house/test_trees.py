"""Three trees with one shape: book, lib, tests."""

import re
import subprocess
import sys

import pytest

SKIPPED = {"_build", "build", "node_modules", "__pycache__"}
READMES = {"README.md", "benchmarks/README.md"}
CHAPTER = re.compile(r"Chapter: (?P<path>book/[\w/-]+\.md)")


def our_files(root):
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.is_file() and not any(
            part.startswith(".") or part in SKIPPED for part in parts
        ):
            yield path


def public_modules(root):
    return [
        path
        for path in sorted((root / "lib/scratchlm").rglob("*.py"))
        if not path.name.startswith("_")
    ]


def missing_tests(root):
    package = root / "lib/scratchlm"
    wanted = [
        (root / "tests" / path.relative_to(package)).with_name(
            f"test_{path.name}"
        )
        for path in public_modules(root)
    ]
    return [str(p.relative_to(root)) for p in wanted if not p.is_file()]


def chapter_complaints(root):
    found = []
    for path in public_modules(root):
        chapters = CHAPTER.findall(path.read_text("utf8"))
        name = path.relative_to(root)
        if not chapters:
            found.append(f"{name} names no chapter")
        found += [
            f"{name} names {chapter}, which does not exist"
            for chapter in set(chapters)
            if not (root / chapter).is_file()
        ]
    return found


def test_each_module_has_a_test_in_the_same_place(root):
    """A reader who stands in one tree finds the other without a search."""
    missing = missing_tests(root)
    assert not missing, "\n".join(missing)


def test_each_module_names_its_chapter(root):
    """From the code back to the page that derives it."""
    found = chapter_complaints(root)
    assert not found, "\n".join(found)


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
    names = [
        f"scratchlm.text.{path.stem}"
        for path in public_modules(root)
        if path.parent.name == "text"
    ]
    program = (
        f"import sys, {', '.join(names)}\nsys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.fixture
def bare_house(tmp_path):
    module = tmp_path / "lib/scratchlm/text/tokenizer/bpe.py"
    module.parent.mkdir(parents=True)
    module.write_text('"""Merge pairs."""\n')
    return tmp_path


def test_a_module_without_test_or_chapter_is_found(bare_house):
    """A rule that finds nothing in a bad sample guards nothing."""
    assert missing_tests(bare_house) == ["tests/text/tokenizer/test_bpe.py"]
    assert chapter_complaints(bare_house) == [
        "lib/scratchlm/text/tokenizer/bpe.py names no chapter"
    ]
    module = bare_house / "lib/scratchlm/text/tokenizer/bpe.py"
    module.write_text('"""Merge. Chapter: book/text/nowhere.md."""\n')
    assert "does not exist" in chapter_complaints(bare_house)[0]


def test_the_reference_lists_every_module(root):
    """A module that the page of all public names leaves out."""
    listed = (root / "book" / "reference.md").read_text("utf-8")
    parts = [p.parent for p in (root / "lib/scratchlm").glob("*/__init__.py")]
    for part in parts:
        if part.name != "book":
            for module in part.glob("[a-z]*.py"):
                name = f"scratchlm.{part.name}.{module.stem}"
                assert f".. automodule:: {name}\n" in listed, name
