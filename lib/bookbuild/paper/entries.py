"""The reference on paper: each module under its name, a line for each entry.

A web page has all the room it wants, and its reader searches it. Set in full
on paper, the reference filled a fifth of the book.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.addnodes import (
    desc,
    desc_signature,
    index,
    pending_xref,
    start_of_file,
)
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.texescape import escape

from bookbuild.paper.transforms import raw_latex
from bookbuild.web.reference import chapter_of

_MODULE = "module; "
_STOP = re.compile(r"\.(?=\s+[^\sa-z]|\s*$)")


class OneLineEntries(SphinxPostTransform):
    """Print the name of an entry and the first sentence of what it says."""

    # Before references are resolved (10), for most stand in what goes.
    default_priority = 5
    builders = ("latex",)

    def run(self, **_: object) -> None:
        for file in list(self.document.findall(start_of_file)):
            marks = [node for node in file.findall(index) if _module(node)]
            for section in {id(m.parent): m.parent for m in marks}.values():
                self._shorten(section)

    def _shorten(self, section: nodes.Element) -> None:
        """Replace what stands behind the first module's name."""
        start = next(n for n, each in enumerate(section) if _module(each))
        lines: list[nodes.Node] = [raw_latex("\\begin{bytesreference}")]
        for node in section[start:]:
            if name := _module(node):
                lines.append(self._heading(name))
            elif isinstance(node, desc):
                lines.append(_line(node))
        lines.append(raw_latex("\\end{bytesreference}"))
        section[start:] = lines

    def _heading(self, module: str) -> nodes.Node:
        page = chapter_of(module)
        number = self.env.toc_secnumbers.get(page, {}).get("")
        link = ""
        if number:
            target = f"\\detokenize{{{page}::doc}}"
            link = f"\\hyperref[{target}]{{Chapter~{number[0]}}}"
        return raw_latex(f"\\bytesmodule{{{escape(module)}}}{{{link}}}")


def _module(node: nodes.Node) -> str:
    """Return the module that an index entry stands for, or nothing."""
    entries = node["entries"] if isinstance(node, index) else []
    names = [str(entry[1]) for entry in entries]
    found = [name for name in names if name.startswith(_MODULE)]
    return found[0].removeprefix(_MODULE) if found else ""


def _line(entry: desc) -> nodes.paragraph:
    """Set an entry as a line."""
    signature = next(iter(entry.findall(desc_signature)))
    name = str(signature["fullname"])
    name += "()" if entry["objtype"] == "function" else ""
    ids = signature["ids"]
    line = nodes.paragraph()
    line += index(entries=[("single", name, ids[0], "", None)])
    line += nodes.target(ids=ids)
    line += nodes.strong("", "", nodes.literal("", name))
    line += raw_latex("\\quad")
    said = next(iter(entry[-1].findall(nodes.paragraph)), None)
    line += list(_first_sentence(said)) if said is not None else []
    return line


def _first_sentence(paragraph: nodes.paragraph) -> Iterator[nodes.Node]:
    for child in paragraph.children:
        if isinstance(child, pending_xref):
            yield from child.children
        elif isinstance(child, nodes.Text) and (end := _STOP.search(child)):
            yield nodes.Text(child[: end.end()])
            return
        else:
            yield child
