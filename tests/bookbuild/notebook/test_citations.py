"""Citations in plain text."""

import pytest

from bookbuild.notebook.citations import Citations


@pytest.fixture
def citations(tiny_book):
    return Citations(tiny_book.root / "book/references.bib")


def test_names_are_joined_as_on_the_page(citations):
    """One, two, and more authors, and a work without any."""
    assert citations.parenthetical("knuth") == "(Knuth, 1973)"
    assert citations.parenthetical("two, many") == (
        "(Ash and Birch, 2001; Ash et al., 2002)"
    )
    assert citations.textual("two,nobody") == (
        "Ash and Birch (2001), Anonymous (2003)"
    )


def test_references_list_each_cited_work_once(citations):
    """A notebook alone must say what (Knuth, 1973) is."""
    citations.textual("knuth")
    citations.parenthetical("knuth")
    (line,) = citations.references()
    assert line.startswith("- Donald Knuth. *Sorting*.")
    assert "\n" not in line


def test_an_unknown_key_is_named(citations):
    """A typing error must not become an empty parenthesis."""
    with pytest.raises(ValueError, match=r"'knut'.*correct the key"):
        citations.textual("knut")
