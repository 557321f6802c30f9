"""Each source is used, and each use has its source."""

import re

from pybtex.database import parse_file

CITED = re.compile(r"\{cite(?::\w+)?\}`(?P<keys>[^`]+)`")


def cited_keys(text):
    return {
        key.strip()
        for match in CITED.finditer(text)
        for key in match["keys"].split(",")
    }


def test_bibliography_and_citations_agree(root):
    """An entry that nobody cites was not read for this book."""
    pages = [path.read_text("utf8") for path in (root / "book").rglob("*.md")]
    entries = set(parse_file(str(root / "book/references.bib")).entries)
    assert cited_keys("\n".join(pages)) == entries


def test_each_entry_can_be_found_by_its_reader(root):
    """A title without a year or a place is a rumour."""
    entries = parse_file(str(root / "book/references.bib")).entries
    places = {"doi", "url", "journal", "booktitle", "publisher", "eprint"}
    places |= {"howpublished", "institution"}
    rumours = [
        key
        for key, entry in entries.items()
        if not {"title", "year"} <= set(entry.fields)
        or not places & set(entry.fields)
    ]
    assert rumours == []


def test_each_article_has_its_journal(root):
    """The HTML of all pages is made, and then the bibliography stops it: a
    preprint is a ``@misc``."""
    entries = parse_file(str(root / "book/references.bib")).entries
    articles = {k: e for k, e in entries.items() if e.type == "article"}
    assert [k for k, e in articles.items() if "journal" not in e.fields] == []


def test_all_forms_of_citation_are_seen():
    """Keys may stand in groups and in text."""
    text = "{cite}`a,b` {cite:t}`c` {cite:p}`d`"
    assert cited_keys(text) == {"a", "b", "c", "d"}
