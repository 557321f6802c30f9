"""The reference: which modules it lists, and links back to the chapters."""

from collections.abc import Iterator
from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import iter_modules

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

# Folders that are no chapter's own, and the chapter that speaks of them. The
# first that fits counts.
CHAPTERS = {
    "scratchlm.foundation": "",
    "scratchlm.interop.tokenizers": "text/tokenizer",
    "scratchlm.interop": "model/published",
    "scratchlm.recipes": "training/pretraining",
    "scratchlm.cli": "text/corpora",
}


def chapter_of(module: str) -> str:
    """Name the page that derives a module: the folder's, as a rule.

    Args:
        module: dotted name, ``scratchlm.model.efficient_attention.kernels``.

    Returns:
        The page, ``model/efficient-attention``, whether or not it exists;
        empty where no chapter speaks of the module.
    """
    for folder, page in CHAPTERS.items():
        if f"{module}.".startswith(f"{folder}."):
            return page
    return "/".join(module.split(".")[1:3]).replace("_", "-")


def modules_in(name: str) -> Iterator[str]:
    """Yield the modules with names of their own under a folder.

    Those of the folder itself come first. An ``__init__`` is left out, for
    it shows what other modules hold.

    Args:
        name: dotted name of a folder; a module yields itself.
    """
    paths = getattr(import_module(name), "__path__", None)
    if paths is None:
        yield name
        return
    found = [each for each in iter_modules(paths) if each.name[0] != "_"]
    for each in sorted(found, key=lambda each: (each.ispkg, each.name)):
        yield from modules_in(f"{name}.{each.name}")


class Modules(SphinxDirective):
    """``{modules} folder``: the names in each module of a folder.

    A class shows what it inherits from the package, and nothing of what it
    inherits from anywhere else.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Have autodoc write the entries."""
        lines = ["```{eval-rst}"]
        for name in modules_in(self.arguments[0]):
            lines += [f".. automodule:: {name}", "   :members:"]
            lines += [f"   :inherited-members: {_foreign_bases(name)}", ""]
        place = nodes.Element()
        text = StringList([*lines, "```"], self.get_location())
        self.state.nested_parse(text, self.content_offset, place)
        return place.children


def _foreign_bases(module: str) -> str:
    classes = getmembers(import_module(module), isclass)
    package = module.partition(".")[0]
    foreign = {
        base.__name__
        for _, each in classes
        for base in each.__mro__
        if base.__module__.partition(".")[0] != package
    }
    return ", ".join(sorted(foreign | {"object"}))


def _process(  # noqa: PLR0913, PLR0917
    app: Sphinx,
    what: str,
    name: str,
    entity: object,
    options: object,
    lines: list[str],
) -> None:
    page = chapter_of(name)
    if what == "module" and page in app.env.found_docs:
        lines += ["", f"*Chapter:* :doc:`/{page}`."]
    if what in ("attribute", "data", "property"):
        # Napoleon takes what stands before a colon in the first line for a
        # type. An empty comment is a first line without one.
        lines[:0] = ["..", ""]


def _skip(  # noqa: PLR0913, PLR0917
    app: Sphinx,
    what: str,
    name: str,
    entity: object,
    skip: bool,
    options: object,
) -> bool | None:
    """Leave out the fields of a named tuple, which its class tells of.

    On paper a class is one line, so its members would be read for nothing.
    """
    said = str(getattr(entity, "__doc__", ""))
    unread = what == "class" and app.builder.name == "latex"
    return unread or said.startswith("Alias for field number") or None


def _sign(  # noqa: PLR0913, PLR0917
    app: Sphinx,
    what: str,
    name: str,
    entity: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write a default that is made anew each time as stubs do.

    Sphinx cannot parse <factory>, and shows such a signature without links.
    A command's signature is its options, which ``--help`` lists.
    """
    if what == "class" and name.split(".")[1] == "cli":
        return "()", returns
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directive, and connect to autodoc."""
    app.add_directive("modules", Modules)
    # Before napoleon reads the docstring.
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
