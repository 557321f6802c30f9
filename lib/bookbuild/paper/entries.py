"""The reference on paper: each module under its name, its entries dense.

A web page has all the room it wants, and its reader searches it. Set the same
way on paper, the reference filled more than a third of the book.
"""

from collections.abc import Iterable

from docutils import nodes
from sphinx.addnodes import (
    desc,
    desc_addname,
    desc_annotation,
    desc_content,
    desc_inline,
    desc_parameterlist,
    desc_signature,
    index,
    start_of_file,
)
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.texescape import escape

from bookbuild.paper.transforms import raw_latex

# Points on the PDF's page: a line, a letter of code, one of text on average.
# They decide what shares a line with its signature; a bad guess wraps.
MEASURE, CODE, TEXT = 355.0, 4.65, 3.75
_MODULE = "module; "
_CHAPTER = "Chapter:"


class DenseEntries(SphinxPostTransform):
    """Name each module once, and set what it holds without air.

    Below the module's heading a name needs no module before it, and an entry
    names its chapter only where that is not the module's.
    """

    default_priority = 330
    builders = ("latex",)

    def run(self, **_: object) -> None:
        for file in list(self.document.findall(start_of_file)):
            marks = [node for node in file.findall(index) if _module(node)]
            if marks:
                _before(marks[0], "\\begin{bytesreference}")
                file.append(raw_latex("\\end{bytesreference}"))
            for mark in marks:
                self._set_module(mark)

    def _set_module(self, mark: index) -> None:
        name = _module(mark)
        chapter: nodes.Element | None = None
        for node in mark.parent[mark.parent.index(mark) + 1 :]:
            if isinstance(node, index) and _module(node):
                break
            if isinstance(node, nodes.paragraph) and chapter is None:
                chapter = self._take_chapter(node)
                _drop_empty(node)
            if isinstance(node, desc):
                for entry in list(node.findall(desc)):
                    self._set_entry(entry, name, chapter)
        heading = nodes.inline()
        heading += raw_latex(f"\\bytesmodule{{{escape(name)}}}{{%")
        if chapter is not None:
            heading += chapter
        heading += raw_latex("}")
        mark.parent.insert(mark.parent.index(mark), heading)

    def _set_entry(
        self, entry: desc, module: str, known: nodes.Element | None
    ) -> None:
        _set_signature(entry, module)
        content = next(c for c in entry if isinstance(c, desc_content))
        for child in list(content):
            if isinstance(child, nodes.field_list):
                place = content.index(child)
                content[place : place + 1] = _set_fields(child)
            elif isinstance(child, nodes.comment):
                content.remove(child)
            elif isinstance(child, nodes.paragraph):
                link = self._take_chapter(child)
                if link is not None and not _same(link, known):
                    child += [nodes.Text(" "), link, nodes.Text(".")]
                _drop_empty(child)
        if _fits_a_line(entry, content):
            _before(entry, "\\bytesrunin")

    def _take_chapter(
        self, paragraph: nodes.paragraph
    ) -> nodes.Element | None:
        """Cut "Chapter: its title." out of a paragraph; return the link.

        The link then bears the chapter's number, where it has one.
        """
        labels = [
            place
            for place, node in enumerate(paragraph)
            if isinstance(node, nodes.emphasis) and node.astext() == _CHAPTER
        ]
        if not labels:
            return None
        link, stop = paragraph[labels[0] + 2 : labels[0] + 4]
        assert isinstance(link, nodes.Element)
        after = nodes.Text(stop.astext().removeprefix("."))
        paragraph[labels[0] : labels[0] + 4] = [after]
        page = str(link.get("refuri", "")).removeprefix("%")
        number = self.env.toc_secnumbers.get(page, {}).get("")
        if number:
            link.children = []
            link += nodes.inline("", f"Chapter\u00a0{number[0]}")
        return link


def _module(node: index) -> str:
    """Return the module that an index entry stands for, or nothing."""
    names = [str(entry[1]) for entry in node["entries"]]
    found = [name for name in names if name.startswith(_MODULE)]
    return found[0].removeprefix(_MODULE) if found else ""


def _before(node: nodes.Element, source: str) -> None:
    node.parent.insert(node.parent.index(node), raw_latex(source))


def _drop_empty(paragraph: nodes.paragraph) -> None:
    if not paragraph.astext().strip():
        paragraph.parent.remove(paragraph)


def _same(link: nodes.Element, known: nodes.Element | None) -> bool:
    return known is not None and link.astext() == known.astext()


def _set_signature(entry: desc, module: str) -> None:
    """Leave the module out, arguments in line, and only the name bold."""
    for prefix in list(entry.findall(desc_addname)):
        if prefix.astext() == f"{module}.":
            prefix.parent.remove(prefix)
    for arguments in entry.findall(desc_parameterlist):
        arguments["multi_line_parameter_list"] = False
    for note in list(entry.findall(desc_annotation)):
        plain = desc_inline("py", "", "", *note.children)
        note.parent.replace(note, plain)


def _set_fields(fields: nodes.field_list) -> list[nodes.Node]:
    """Make each parameter, error and result a paragraph that hangs.

    The name of a parameter says what it is; the others carry a label.
    """
    made: list[nodes.Node] = []
    for field in fields:
        assert isinstance(field, nodes.field)
        name, body = field[0].astext(), field[1]
        assert isinstance(body, nodes.field_body)
        first = body[0]
        listed = isinstance(first, nodes.bullet_list) and len(body) == 1
        items: Iterable[nodes.Node] = first.children if listed else [body]
        for item in items:
            assert isinstance(item, nodes.Element)
            if name != "Parameters":
                label = raw_latex(f"\\bytesfieldname{{{name}}}%")
                next(item.findall(nodes.paragraph)).insert(0, label)
            made.append(raw_latex("\\begin{bytesfield}"))
            made += item.children
            made.append(raw_latex("\\end{bytesfield}"))
    return made


def _fits_a_line(entry: desc, content: desc_content) -> bool:
    """Guess whether a signature and all that is said of it fit one line."""
    signatures = [node for node in entry if isinstance(node, desc_signature)]
    if len(signatures) != 1 or len(content) != 1:
        return False
    code, text = signatures[0].astext(), content.astext()
    short = len(code) * CODE + len(text) * TEXT < MEASURE
    return isinstance(content[0], nodes.paragraph) and short
