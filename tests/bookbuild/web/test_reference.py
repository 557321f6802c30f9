"""The reference on the web: what it lists, and how it links back."""

import sys

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from bookbuild.web.reference import chapter_of, modules_in

PAGES = {
    "source/index.md": (
        "# Book\n\n```{toctree}\nreference\ntext/the-first\n```\n"
    ),
    "source/reference.md": "# Reference\n\n```{modules} scratchlm_toy\n```\n",
    "source/text/the-first.md": "# First\n",
    "lib/scratchlm_toy/__init__.py": "",
    "lib/scratchlm_toy/text/__init__.py": "",
    "lib/scratchlm_toy/text/the_first/__init__.py": (
        '"""A face."""\n\n'
        "from scratchlm_toy.text.the_first.rings import Ring\n\n"
        '__all__ = ["Ring"]\n'
    ),
    "lib/scratchlm_toy/text/the_first/_own.py": '"""Nobody\'s business."""\n',
    "lib/scratchlm_toy/text/the_first/kernels/__init__.py": "",
    "lib/scratchlm_toy/text/the_first/kernels/apart.py": '"""Apart."""\n',
    "lib/scratchlm_toy/text/the_first/rings.py": '''\
"""Round things."""

from dataclasses import dataclass, field
from typing import NamedTuple


class _Round:
    def roll(self) -> None:
        """Roll along: it is round."""


class Ring(_Round, dict):
    """A hole with an edge."""

    @property
    def area(self) -> float:
        """Of the edge: the hole is empty."""


class Pair(NamedTuple):
    """Two rings."""

    first: Ring


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """Rings on an axle."""

    rings: list[Ring] = field(default_factory=list)
''',
    "lib/scratchlm_toy/cli.py": '''\
"""Commands."""


class Clean:
    """Clean a corpus."""

    def __init__(self, option: int = 1): ...
''',
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reference of a package of one chapter."""
    folder = tmp_path_factory.mktemp("reference")
    for name, text in PAGES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
    source, out = folder / "source", folder / "out"
    settings = {
        "extensions": [
            "myst_parser",
            "sphinx.ext.autodoc",
            "sphinx.ext.napoleon",
            "bookbuild.web.reference",
        ],
        "html_theme": "basic",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "lib"))
        with patch_docutils(str(source)), docutils_namespace():
            Sphinx(
                source,
                None,
                out,
                folder / "trees",
                "html",
                settings,
                status=None,
                warningiserror=True,
            ).build()
    for name in [m for m in sys.modules if m.startswith("scratchlm_toy")]:
        del sys.modules[name]
    return (out / "reference.html").read_text("utf8")


@pytest.mark.parametrize(
    ("module", "page"),
    [
        ("scratchlm.text.tokenizer.bpe", "text/tokenizer"),
        ("scratchlm.text.tokenizer.arrays.cutting", "text/tokenizer"),
        (
            "scratchlm.model.efficient_attention.kernels.triton_launch",
            "model/efficient-attention",
        ),
        ("scratchlm.interop.tokenizers.tiktoken", "text/tokenizer"),
        ("scratchlm.interop.files", "model/published"),
        ("scratchlm.interop.onnx", "model/published"),
        ("scratchlm.cli.corpus", "text/corpora"),
        ("scratchlm.foundation.dice", ""),
    ],
)
def test_a_module_s_folder_says_its_chapter(module: str, page: str) -> None:
    """A path that was typed into each docstring went stale with a move."""
    assert chapter_of(module) == page


def test_modules_are_found_at_all_levels_and_faces_are_not() -> None:
    """A face lists other modules' names, which would stand there twice."""
    found = list(modules_in("scratchlm.foundation"))
    assert "scratchlm.foundation.durable" in found
    assert found == sorted(found)
    deep = list(modules_in("scratchlm.text.subwords"))
    assert "scratchlm.text.subwords.unigram.lattice" in deep
    assert "scratchlm.text.subwords.unigram" not in deep
    assert list(modules_in("scratchlm.cli.program")) == [
        "scratchlm.cli.program"
    ]


def test_each_module_stands_on_the_page_once(page: str) -> None:
    """The page was a list by hand, and a new module was left out."""
    for name in ("text.the_first.rings", "text.the_first.kernels.apart"):
        assert page.count(f'id="module-scratchlm_toy.{name}"') == 1
    assert page.count('id="scratchlm_toy.text.the_first.rings.Ring"') == 1
    assert "_own" not in page
    assert 'id="module-scratchlm_toy.text.the_first"' not in page


def test_a_module_links_to_its_chapter(page: str) -> None:
    """Printed as a path, it names a file that a reader of the page lacks."""
    assert page.count('href="text/the-first.html"><span class="doc">') == 2


def test_a_class_shows_what_it_inherits_from_us_alone(page: str) -> None:
    """Methods of a private base stood nowhere; those of dict are Python's."""
    assert 'id="scratchlm_toy.text.the_first.rings.Ring.roll"' in page
    assert "rings.Ring.setdefault" not in page
    assert "rings.Pair.count" not in page


def test_what_stands_before_a_colon_is_no_type(page: str) -> None:
    """Napoleon printed "Type: Of the edge" below a property."""
    assert "Of the edge: the hole is empty." in page
    assert "Type<" not in page


def test_a_default_made_anew_keeps_the_signature_whole(page: str) -> None:
    """Sphinx fell back to the raw text, with a tilde before each type."""
    assert "factory" not in page
    assert "~" not in page


def test_a_command_shows_no_options(page: str) -> None:
    """Each stands there with all that says how to read it from a line."""
    clean = page[page.index('id="scratchlm_toy.cli.Clean"') :]
    assert "option" not in clean[: clean.index("Clean a corpus.")]


def test_fields_of_a_named_tuple_are_told_by_its_class(page: str) -> None:
    """ "Alias for field number 0" says nothing, once for each field."""
    assert "Alias for" not in page
