"""Where the house stands, and its chapters read once."""

from pathlib import Path

import pytest

from bookbuild import contents

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def parser():
    return contents.parser_config(contents.sphinx_config(ROOT))


@pytest.fixture(scope="session")
def notebooks(parser):
    """Every page by name, as an unexecuted notebook."""
    return {
        page.name: contents.read_notebook(page, parser)
        for page in contents.book_pages(ROOT)
    }


@pytest.fixture(scope="session")
def chapters(notebooks):
    """The numbered pages, by name."""
    return {
        page.name: notebooks[page.name]
        for page in contents.book_pages(ROOT)
        if page.chapter is not None
    }


@pytest.fixture(scope="session")
def lessons(notebooks, chapters):
    """The numbered pages, and the tour that leads through them."""
    return {"tour": notebooks["tour"], **chapters}
