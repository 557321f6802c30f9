"""The table of contents, and the reader that Sphinx uses too."""

import pytest

from bookbuild import contents


def test_numbers_go_to_numbered_parts_only(tiny_book):
    """Front matter that counted would shift every figure number."""
    found = contents.book_pages(tiny_book.root)
    assert [(page.name, page.chapter) for page in found] == [
        ("index", None),
        ("text/one", 1),
        ("text/two", 2),
        ("bibliography", None),
    ]


def test_sections_below_a_chapter_share_its_number(tiny_book):
    """Nested pages were dropped when only top entries were walked."""
    toc = (tiny_book.root / "_toc.yml").read_text("utf8")
    nested = toc.replace(
        "      - file: text/two\n",
        "        sections:\n          - file: text/two\n",
    )
    tiny_book.write("_toc.yml", nested)
    found = contents.book_pages(tiny_book.root)
    assert [page.chapter for page in found] == [None, 1, 1, None]


def test_a_listed_page_without_a_file_is_named(tiny_book):
    """Sphinx only warns about it, pages later."""
    (tiny_book.root / "book/text/two.md").unlink()
    with pytest.raises(ValueError, match=r"'text/two'.*write the page"):
        contents.book_pages(tiny_book.root)


def test_the_parser_takes_the_book_s_own_extensions(tiny_book):
    """With default extensions a colon fence would be read as text."""
    config = contents.sphinx_config(tiny_book.root)
    parser = contents.parser_config(config)
    assert parser.enable_extensions >= {"colon_fence", "amsmath"}


def test_a_page_is_a_notebook_when_its_header_says_so(tiny_book):
    """A plain page that counts as a notebook would start a kernel."""
    found = contents.book_pages(tiny_book.root)
    assert [contents.is_notebook(page) for page in found] == [
        False,
        True,
        True,
        False,
    ]


def test_reading_keeps_cells_tags_and_lines(tiny_book):
    """Failures are reported at the line that the source map gives."""
    parser = contents.parser_config(contents.sphinx_config(tiny_book.root))
    page = contents.book_pages(tiny_book.root)[1]
    notebook = contents.read_notebook(page, parser)
    cells = contents.code_cells(notebook)
    assert cells[0].metadata.tags == ["nbval-check-output"]
    assert cells[0].source == "total = 1 + 1\nprint(total)"
    lines = page.path.read_text("utf8").splitlines()
    at = notebook.metadata["source_map"][1] - 1
    assert lines[at].startswith("```{code-cell}")
