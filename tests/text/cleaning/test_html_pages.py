"""Pages to text, and the lines that a site repeats."""

import sys

import pytest

from scratchlm.text.cleaning.html_pages import (
    PAGE_TO_TEXT,
    drop_lines,
    html_to_text,
    recurring_lines,
)
from scratchlm.text.cleaning.messy_web import messy_pages
from scratchlm.text.cleaning.steps import Rejection


def test_the_article_is_found_and_the_frame_is_not():
    """Scripts, menus and cookie banners in the training text."""
    pages = [
        page
        for page in messy_pages(80)
        if page.kind == "article" and page.site != "clocktower.example"
    ]
    assert len(pages) > 5
    for page in pages:
        text = html_to_text(page.html)
        for paragraph in page.body.split("\n"):
            assert paragraph in text
        for frame in ("window.ads", "Archive", "cookies", "Read next"):
            assert frame in page.html
            assert frame not in text


@pytest.mark.parametrize("html", ["", "<html></html>", "no markup", "\0<"])
def test_a_page_without_text_is_rejected(html):
    """None as a text, or an exception on an empty page."""
    assert html_to_text(html) == ""
    assert PAGE_TO_TEXT(html) == Rejection(
        reason="main text: the page has none"
    )


def test_a_page_goes_on_as_its_text():
    """The source that goes on beside the text."""
    page = next(p for p in messy_pages(20) if p.kind == "article")
    assert PAGE_TO_TEXT(page.html) == html_to_text(page.html)


def test_the_missing_library_is_named(monkeypatch):
    """An ImportError from the depths of a pipeline."""
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(ValueError, match=r"trafilatura.*scratchlm\[data\]"):
        html_to_text("<p>x</p>")


def test_what_trafilatura_lacks_is_said(monkeypatch):
    """trafilatura is installed and one of its own packages is not, as some
    installers leave it: "not installed" sent the reader the wrong way."""
    html_to_text("<p>x</p>")  # imports all that is put back afterwards
    again = ("trafilatura", "justext", "lxml.html.clean")
    for name in [m for m in sys.modules if m.startswith(again)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lxml_html_clean", None)
    with pytest.raises(ValueError, match=r"lxml_html_clean.*\[data\]"):
        html_to_text("<p>x</p>")


def test_a_line_recurs_on_pages_not_on_a_page():
    """A refrain taken for the frame of the site."""
    pages = ["menu\na\na\na", " menu\nb", "menu \nc", "d"]
    assert recurring_lines(pages) == {"menu"}
    assert recurring_lines(pages, min_pages=4) == frozenset()


def test_the_share_decides_on_large_sites():
    """A sentence that three of a million pages happen to share."""
    pages = ["menu\nx"] * 5 + ["menu"] * 45
    assert recurring_lines(pages, min_share=0.1) == {"menu", "x"}
    assert recurring_lines(pages, min_share=0.11) == {"menu"}
    assert recurring_lines([]) == frozenset()
    with pytest.raises(ValueError, match="min_pages is 1"):
        recurring_lines(pages, min_pages=1)


def test_dropped_are_whole_lines_alone():
    """A quotation of the menu in an article."""
    step = drop_lines(frozenset({"menu"}))
    assert step.name == "boilerplate"
    assert step("menu\nthe menu is long\n menu ") == "the menu is long"
    assert isinstance(step("menu"), Rejection)


def test_bytes_are_decoded_by_what_the_page_says():
    """A caller that has to guess the encoding before the page is parsed."""
    page = (
        "<html><head>{}</head><body><article><p>{}</p></article></body></html>"
    )
    text = "Die Größe des Hafens ist für den Fischer wichtig. " * 8
    for codec, head in [
        ("utf-8", ""),
        ("cp1252", "<meta charset=windows-1252>"),
        ("utf-16", ""),
    ]:
        data = page.format(head, text).encode(codec)
        assert html_to_text(data) == text.strip()
    data = page.format("", text).encode("cp1252")
    assert html_to_text(data, "iso-8859-1") == text.strip()
    with pytest.raises(ValueError, match="text already"):
        html_to_text("<p>x</p>", "utf-8")
