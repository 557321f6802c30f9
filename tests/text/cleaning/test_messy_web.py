"""Messy pages: every kind, the same on every machine."""

import hashlib
from collections import Counter

import pytest

from scratchlm.text.cleaning.messy_web import (
    GOOD,
    PAGE_KINDS,
    SITES,
    mangle,
    messy_pages,
)


def test_the_same_seed_gives_the_same_pages():
    """Draws that change with the version of Python or the platform. The
    sum is of the generator as it is; a change of its text changes it."""
    pages = list(messy_pages(60, seed=3))
    assert list(messy_pages(90, seed=3))[:60] == pages
    assert list(messy_pages(60, seed=4)) != pages
    joined = "".join(page.html for page in pages).encode()
    assert hashlib.sha256(joined).hexdigest()[:16] == "a8c868764705de68"


def test_every_kind_and_site_occurs():
    """A kind that is never drawn, and whose rule nothing tests."""
    pages = list(messy_pages(300))
    kinds = Counter(page.kind for page in pages)
    assert set(kinds) == set(PAGE_KINDS)
    assert min(kinds.values()) >= 10
    assert {page.site for page in pages} == set(SITES)
    for page in pages:
        assert page.good == (page.kind in GOOD)
        assert page.body
        if page.kind not in ("mojibake", "minified code", "listing"):
            for paragraph in page.body.split("\n"):
                assert paragraph.replace("&", "&amp;") in page.html


def test_no_sentence_waits_for_its_word():
    """A place that is left open in the text of a page."""
    for page in messy_pages(200):
        if page.kind != "minified code":
            assert "{" not in page.body


def test_mangling_is_what_a_browser_does():
    """Bytes that the code page leaves open, and that are then lost."""
    assert mangle("it’s “é”") == "itâ€™s â€œÃ©â€\x9d"
    for text in ("é’”日🙂", "plain"):
        assert len(mangle(text)) == len(text.encode())


def test_bad_input_is_named():
    """A range that is silently empty."""
    assert list(messy_pages(0)) == []
    with pytest.raises(ValueError, match="n is -1"):
        messy_pages(-1)
