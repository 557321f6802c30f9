"""Page trees turned into paper: what a web page does and paper cannot."""

import re
from typing import Any, ClassVar

from docutils import nodes
from sphinx.addnodes import (
    number_reference,
    start_of_file,
    tabular_col_spec,
)
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import (
    exercise_enumerable_node,
    exercise_node,
    solution_node,
)


def raw_latex(source: str) -> nodes.raw:
    """Wrap LaTeX for the page tree."""
    return nodes.raw("", source + "\n", format="latex")


class CollectSolutions(SphinxPostTransform):
    """Move a chapter's solutions to a section at its end, linked both ways."""

    # After sphinx-exercise has resolved the titles (20 to 22).
    default_priority = 310
    builders = ("latex",)

    def run(self, **_: Any) -> None:
        for file in list(self.document.findall(start_of_file)):
            solutions = [
                node
                for node in file.findall(solution_node)
                if self._file_of(node) is file
            ]
            chapter = next(iter(file.findall(nodes.section)), None)
            if chapter is None or not solutions:
                continue
            docname = str(file["docname"])
            section = nodes.section(
                ids=[f"solutions-{docname.replace('/', '-')}"],
                docname=docname,
            )
            section += nodes.title("", "Solutions")
            for solution in solutions:
                solution.parent.remove(solution)
                section += solution
            chapter += section
            self._link(file, solutions)

    @staticmethod
    def _file_of(node: nodes.Node) -> nodes.Element | None:
        while node is not None and not isinstance(node, start_of_file):
            node = node.parent
        return node

    @staticmethod
    def _link(file: nodes.Element, solutions: list[nodes.Element]) -> None:
        """Tell each exercise where its solution is."""
        labels = {s["target_label"]: s["label"] for s in solutions}
        for kind in (exercise_node, exercise_enumerable_node):
            for exercise in file.findall(kind):
                label = labels.get(exercise.get("label"))
                if label is not None:
                    target = f"{{\\detokenize{{{file['docname']}:{label}}}}}"
                    exercise.append(raw_latex(f"\\bytessolutionlink{target}"))


class DropHidden(SphinxPostTransform):
    """Leave out what the web page hides behind a button.

    Paper has no buttons: the code of a `hide-input` cell and all of a
    `hide-cell` cell go, their outputs under `hide-output` too. The rule
    above a web page's footnotes goes with them to the foot of each page.
    """

    default_priority = 320
    builders = ("latex",)

    def run(self, **_: Any) -> None:
        for rule in list(self.document.findall(nodes.transition)):
            if "footnotes" in rule.get("classes", []):
                rule.parent.remove(rule)
        for cell in list(self.document.findall(nodes.container)):
            classes: list[str] = cell.get("classes", [])
            if "tag_hide-cell" in classes:
                cell.parent.remove(cell)
                continue
            for tag, part in (
                ("tag_hide-input", "cell_input"),
                ("tag_hide-output", "cell_output"),
            ):
                if tag in classes:
                    for child in list(cell.findall(nodes.container)):
                        if part in child["classes"]:
                            cell.remove(child)


class AlignTables(SphinxPostTransform):
    """Carry a Markdown table's column alignment over, and set it flush left.

    Sphinx's LaTeX knows alignment only from a specification of its own.
    """

    default_priority = 340
    builders = ("latex",)
    letters: ClassVar[dict[str, str]] = {"text-right": "R", "text-center": "C"}

    def run(self, **_: Any) -> None:
        for table in list(self.document.findall(nodes.table)):
            table.setdefault("align", "left")
            body = next(iter(table.findall(nodes.tbody)), None)
            if body is None or not body.children:
                continue
            spec = "".join(self._letter(entry) for entry in body[0].children)
            columns = sum(1 for _ in table.findall(nodes.colspec))
            if len(spec) == columns:
                place = table.parent.index(table)
                table.parent.insert(place, tabular_col_spec(spec=spec))

    def _letter(self, entry: nodes.Node) -> str:
        assert isinstance(entry, nodes.Element)
        classes: list[str] = entry.get("classes", [])
        found = [self.letters.get(name) for name in classes]
        return next((letter for letter in found if letter), "L")


class NumberOnce(SphinxPostTransform):
    """Give a bare `align` the one number that the web page gives it.

    LaTeX would number each of its lines, and every later number of the
    chapter would differ between page and paper.
    """

    default_priority = 350
    builders = ("latex",)
    inner: ClassVar[dict[str, str]] = {
        "align": "aligned",
        "alignat": "alignedat",
        "flalign": "aligned",
        "gather": "gathered",
    }
    # Lines that number or name themselves know better.
    own = re.compile(r"\\(tag|notag|nonumber|label)\b")

    def run(self, **_: Any) -> None:
        for block in self.document.findall(nodes.math_block):
            source = block.astext()
            found = re.match(r"\s*\\begin\{(\w+)\}", source)
            name = self.inner.get(found[1]) if found else None
            if found is None or name is None or self.own.search(source):
                continue
            for end in ("begin", "end"):
                source = source.replace(
                    f"\\{end}{{{found[1]}}}", f"\\{end}{{{name}}}"
                )
            block.children = [
                nodes.Text(f"\\begin{{equation}}{source}\\end{{equation}}")
            ]


class TieNumbers(SphinxPostTransform):
    """Keep "Figure" and its number on one line."""

    # After sphinx-exercise has made references of its own (22).
    default_priority = 360
    builders = ("latex",)

    def run(self, **_: Any) -> None:
        for reference in self.document.findall(number_reference):
            if "title" in reference:
                reference["title"] = re.sub(
                    r" (?=%s|\{number\})", "\u00a0", reference["title"]
                )
