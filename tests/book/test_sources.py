"""Which modules decide a result, directly or not."""

import pytest

from scratchlm.book.sources import Sources, imported_names

FILES = {
    "__init__": "",
    "text/__init__": "",
    "text/bpe/__init__": "from scratchlm.text.bpe.merging import merge\n",
    "text/bpe/merging": "def merge():\n    import scratchlm.text.words\n",
    "text/words": "",
    "model/__init__": "",
    "model/block": "import scratchlm.text.words\n",
}


@pytest.fixture
def lib(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "scratchlm" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def digest(lib, *names):
    return Sources(lib).digest(names)


def test_imports_inside_functions_and_of_packages_count(lib):
    """A lazy import decides a result as much as one at the top, and a face
    runs before the module that it stands in front of."""
    needed = Sources(lib).needed(["scratchlm.text.bpe.merge"])
    short = {name.removeprefix("scratchlm.") for name in needed}
    assert short == {
        *("scratchlm", "text", "text.bpe", "text.bpe.merging", "text.words"),
    }


@pytest.mark.parametrize(
    "name", ["text/words", "text/bpe/merging", "__init__"]
)
def test_a_change_in_what_is_imported_changes_the_digest(lib, name):
    """A page would show what the old code printed."""
    before = digest(lib, "scratchlm.text.bpe.merge")
    (lib / "scratchlm" / f"{name}.py").write_text("# another\n")
    assert digest(lib, "scratchlm.text.bpe.merge") != before


def test_a_change_elsewhere_does_not(lib):
    """Else each edit runs the whole book."""
    before = digest(lib, "scratchlm.text.bpe.merge")
    (lib / "scratchlm/model/block.py").write_text("WIDTH = 2\n")
    (lib / "scratchlm/model/new.py").write_text("")
    assert digest(lib, "scratchlm.text.bpe.merge") == before


def test_data_beside_a_package_counts_for_it_alone(lib):
    """A table of the package is read by its code."""
    words, root = "scratchlm.text.words", "scratchlm"
    before = [digest(lib, words), digest(lib, root)]
    (lib / "scratchlm/text/tables").mkdir()
    (lib / "scratchlm/text/tables/words.json").write_text("[]")
    after = [digest(lib, "scratchlm.text.words"), digest(lib, "scratchlm")]
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        False,
        True,
    ]


def test_names_resolve_to_the_module_that_they_lie_in(lib):
    """``from a.b import c`` does not say whether c is a module."""
    sources = Sources(lib)
    assert sources.resolve("scratchlm.text.bpe.merge") == "scratchlm.text.bpe"
    assert sources.resolve("scratchlm.text.words") == "scratchlm.text.words"
    assert sources.resolve("scratchlm.nothing.at.all") == "scratchlm"


def test_imported_names_are_dotted():
    """Both forms, wherever they stand."""
    code = "import a.b as c\ndef f():\n    from d import e, g as h\n"
    assert imported_names(code) == {"a.b", "d.e", "d.g"}
