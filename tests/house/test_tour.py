"""The tour: every step once, short, and with a way on."""

import re

import yaml

from bookbuild.contents import SOURCE_HIDDEN, code_cells

STEPS = (
    *("text", "tokens", "model", "writing", "training", "sampling"),
    *("answer", "score", "sibling"),
)
SPINE = ("promise", *STEPS, "cost", "map", "exercises")
MAX_STEP = 15  # lines of a cell that a newcomer reads
TARGET = re.compile(r"^\(tour-([\w-]+)\)=$", re.M)


def source_of(root):
    return (root / "book/tour.md").read_text("utf8")


def sections(text):
    """Return what stands under each target of the page."""
    _, *rest = TARGET.split(text)
    return dict(zip(rest[::2], rest[1::2], strict=True))


def parts_with_chapters(root):
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    files = [
        entry["file"] for part in toc["parts"] for entry in part["chapters"]
    ]
    return {name.partition("/")[0] for name in files if "/" in name}


def test_the_tour_has_its_steps_in_order(root):
    """A newcomer who is asked for a score before a model can answer."""
    assert tuple(sections(source_of(root))) == SPINE


def test_each_step_runs_and_is_short(root, notebooks):
    """A listing of a screen on the page that promises ten lines a step."""
    held = sections(source_of(root))
    silent = [name for name in STEPS if "{code-cell}" not in held[name]]
    assert silent == []
    shown = [
        cell.source
        for cell in code_cells(notebooks["tour"])
        if not SOURCE_HIDDEN & set(cell.metadata.get("tags", []))
    ]
    long = [cell for cell in shown if cell.count("\n") >= MAX_STEP]
    assert not long, long[0]


def test_the_tour_leads_into_every_part(root):
    """A part of the book that nobody hears of on the page that is read
    first."""
    linked = set(re.findall(r"\{doc\}`([\w-]+)/", source_of(root)))
    assert linked == parts_with_chapters(root)


def test_the_front_page_points_to_the_tour(root):
    """A reader in a hurry who finds the preface."""
    front = (root / "book/index.md").read_text("utf8")
    assert "{doc}`tour`" in front.partition("## What you will build")[0]
