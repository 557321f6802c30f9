"""The book's LaTeX: parts, front matter, solutions, the files TeX needs."""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import start_of_file
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.texescape import escape
from sphinx.writers.latex import LaTeXTranslator
from sphinx_exercise.nodes import (
    exercise_enumerable_node,
    exercise_node,
    solution_node,
)

from bookbuild.paper.colophon import byte_list, meta_source, read_commit
from bookbuild.paper.entries import OneLineEntries
from bookbuild.paper.fallback import fallback_source
from bookbuild.paper.transforms import (
    AlignTables,
    CollectSolutions,
    DropHidden,
    NumberOnce,
    TieNumbers,
    raw_latex,
)

FONTS = Path(str(files("scratchlm.book"))) / "fonts"


def write_support(app: Sphinx) -> None:
    """Put fonts, the fallback map and the colophon's facts beside the .tex."""
    if app.builder.name != "latex":
        return
    out = Path(app.outdir)
    out.mkdir(parents=True, exist_ok=True)
    for font in sorted(FONTS.glob("*.ttf")):
        shutil.copyfile(font, out / font.name)
    sources = {
        "bytesfallback.tex": fallback_source(FONTS),
        "bytesmeta.tex": meta_source(read_commit(Path(app.srcdir))),
    }
    for name, source in sources.items():
        (out / name).write_text(source, encoding="utf-8")


class PlaceParts(SphinxPostTransform):
    """Turn the contents file's captions into front matter, parts, back matter.

    A numbered group of pages is a part; groups before the first one are
    front matter, and unnumbered groups after it are back matter. What the
    root page says before its first chapter becomes the preface.
    """

    default_priority = 300
    builders = ("latex",)

    def run(self, **_: Any) -> None:
        site = getattr(self.env, "external_site_map", None)
        files = {
            str(file["docname"]): file
            for file in self.document.findall(start_of_file)
        }
        for file in files.values():
            # Sphinx hangs the page's children in without telling them.
            for child in file.children:
                child.parent = file
            self._show_bytes(file)
        if site is None or not isinstance(self.document, nodes.document):
            return
        seen_part = False
        self._make_preface()
        for group in site.root.subtrees:
            first = files.get(str(next(iter(group.items), "")).split(".")[0])
            if first is None:
                continue
            source = ""
            if group.numbered and group.caption:
                source = "" if seen_part else "\\mainmatter\n"
                seen_part = True
                source += (
                    f"\\bytesnext{{{byte_list(group.caption)}}}\n"
                    f"\\part{{{escape(group.caption)}}}"
                )
            elif seen_part:
                source = "\\bytesbackmatter"
            if source:
                self._before(first, raw_latex(source))

    @staticmethod
    def _before(node: nodes.Element, new: nodes.Node) -> None:
        parent = node.parent
        parent.insert(parent.index(node), new)

    @staticmethod
    def _show_bytes(file: nodes.Element) -> None:
        """Hand the chapter's title, as bytes, to its opening."""
        section = next(iter(file.findall(nodes.section)), None)
        if section is not None and section.parent is file:
            title = section[0].astext()
            file.insert(0, raw_latex(f"\\bytesnext{{{byte_list(title)}}}"))

    def _make_preface(self) -> None:
        """Give the root page's own words a chapter of their own."""
        root = next(iter(self.document.findall(nodes.section)), None)
        if root is None:
            return
        own: list[nodes.Node] = []
        for child in root.children[1:]:
            if isinstance(child, nodes.Element) and any(
                child.findall(start_of_file)
            ):
                break
            own.append(child)
        if not any(child.astext().strip() for child in own):
            return
        preface = nodes.section(ids=["preface"], docname=root.get("docname"))
        preface += nodes.title("", "Preface")
        for child in own:
            root.remove(child)
            preface += child
        root.insert(1, [raw_latex(f"\\bytesnext{{{byte_list('Preface')}}}")])
        root.insert(2, preface)


def _visit_exercise(self: LaTeXTranslator, node: nodes.Element) -> None:
    # Two extensions, two spellings of the anchor: numbered references look
    # for exercise:label, a solution's title for page:label.
    label = node["label"]
    self.body.append(f"\n\\phantomsection\\label{{exercise:{label}}}")
    self.body.append(self.hypertarget(label, anchor=False))
    self.body.append("\\begin{bytesexercise}")


def _depart_exercise(self: LaTeXTranslator, _: nodes.Element) -> None:
    self.body.append("\\end{bytesexercise}\n")


def _visit_solution(self: LaTeXTranslator, node: nodes.Element) -> None:
    self.body.append("\n" + self.hypertarget(node["label"]))
    self.body.append(
        f"\\begin{{bytessolution}}{{exercise:{node['target_label']}}}"
    )


def _depart_solution(self: LaTeXTranslator, _: nodes.Element) -> None:
    self.body.append("\\end{bytessolution}\n")


def use_own_blocks(app: Sphinx) -> None:
    """Print exercises with the book's own environments.

    Runs when the builder is ready, for by then sphinx-exercise has named its
    nodes, in whatever order the extensions were loaded.
    """
    exercise = (_visit_exercise, _depart_exercise)
    handlers = {
        exercise_node: exercise,
        exercise_enumerable_node: exercise,
        solution_node: (_visit_solution, _depart_solution),
    }
    chosen = app.registry.translation_handlers.setdefault("latex", {})
    for node, pair in handlers.items():
        chosen[node.__name__] = pair


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the book's LaTeX to Sphinx."""
    for transform in (
        PlaceParts,
        CollectSolutions,
        DropHidden,
        OneLineEntries,
        AlignTables,
        NumberOnce,
        TieNumbers,
    ):
        app.add_post_transform(transform)
    app.connect("builder-inited", write_support)
    app.connect("builder-inited", use_own_blocks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
