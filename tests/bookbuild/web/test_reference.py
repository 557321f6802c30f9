import pytest

from bookbuild.web.reference import link_chapter


@pytest.mark.parametrize(
    "line",
    [
        "Chapter: book/text/tokenizer.md.",
        "Chapter: book/text/tokenizer.md",
    ],
)
def test_the_chapter_of_a_docstring_becomes_a_link(line):
    """Printed as a path, it names a file that a reader of the page lacks."""
    assert link_chapter(line) == "*Chapter:* :doc:`/text/tokenizer`."


def test_the_rest_of_the_line_stays():
    """A module says its chapter behind its first sentence."""
    before = "Learning merges. Chapter: book/text/tokenizer.md."
    assert link_chapter(before).startswith("Learning merges. *Chapter:*")
    assert link_chapter("Chapters are long.") == "Chapters are long."
