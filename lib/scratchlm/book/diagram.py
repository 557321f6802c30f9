"""Diagrams of boxes and arrows on a grid, in the style of the figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from scratchlm.book import style
from scratchlm.book.style import INK, Number, Point, colour, text_shade

Side = Literal["left", "right", "top", "bottom"]
_STEP = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box that was drawn, in inches from the upper left corner."""

    x: Number
    y: Number
    width: Number
    height: Number

    def port(self, side: Side, gap: Number = 0.0) -> Point:
        """Return the middle of a side, moved out by ``gap`` inches."""
        dx, dy = _STEP[side]
        across, down = self.width / 2 + gap, self.height / 2 + gap
        return self.x + dx * across, self.y + dy * down


class Diagram:
    """A drawing on a grid of equal cells.

    Positions are ``(column, row)``, counted from the upper left corner;
    ``(0, 0)`` is the centre of the first cell, and fractions are welcome.

    >>> d = Diagram(columns=3, rows=1)
    >>> text = d.box("text", (0, 0), note="str")
    >>> ids = d.box("ids", (2, 0), role="ours", note="list[int]")
    >>> d.arrow(text, ids, "encode")
    >>> d.figure.get_size_inches().tolist()
    [5.3, 0.8]

    Args:
        columns: cells from left to right.
        rows: cells from top to bottom.
        row_height: height of a cell in inches.
        width: width of the page that the drawing fills.

    Raises:
        ValueError: the grid has no cells.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        *,
        row_height: Number = 0.8,
        width: Literal["text", "wide"] = "text",
    ):
        if columns < 1 or rows < 1:
            raise ValueError(
                f"a grid of {columns} by {rows} cells has no place for a "
                "box; use at least one column and one row"
            )
        self.cell = (style.WIDTHS[width] / columns, row_height)
        size = (style.WIDTHS[width], row_height * rows)
        self.figure = Figure(figsize=size)
        self.figure.set_layout_engine("none")
        # One data unit is one inch, so that corners stay round.
        self._ax = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self._ax.set_axis_off()
        self._ax.set_xlim(0, size[0])
        self._ax.set_ylim(size[1], 0)

    def _inches(self, at: Point) -> Point:
        return (at[0] + 0.5) * self.cell[0], (at[1] + 0.5) * self.cell[1]

    def box(  # noqa: PLR0913
        self,
        text: str,
        at: Point,
        *,
        size: Point = (0.82, 0.62),
        role: str = "neutral",
        note: str = "",
        look: Literal["solid", "dashed", "filled", "bare"] = "solid",
        mono: bool = False,
    ) -> Box:
        """Draw a box and return it for arrows and groups.

        Args:
            text: what stands in it, in bold where a note follows.
            at: (column, row) of its centre.
            size: width and height in cells.
            role: the colour's role in ``style.ROLES``.
            note: smaller text below.
            look: an outline, a dashed one, a fill, or nothing at all.
            mono: whether the text is code or data.
        """
        x, y = self._inches(at)
        width, height = size[0] * self.cell[0], size[1] * self.cell[1]
        made = Box(x=x, y=y, width=width, height=height)
        shade = colour(role)
        if look != "bare":
            self._outline(made, shade, look)
        ink = "white" if look == "filled" else INK
        soft = ink if look == "filled" else text_shade(shade)
        lines = 1 + note.count("\n")
        lift = (0.075 if lines == 1 else 0.135) if note else 0.0
        spot, bold = (x, y - lift), bool(note)
        # A letter of the mono face is 0.6 em wide: 120 = 72 / 0.6.
        room = 120 * (width - 0.1) / max(1, len(text)) if mono else 9.5
        big = min(9.5, room)
        self._write(text, spot, size=big, ink=ink, bold=bold, mono=mono)
        if note:
            drop = 0.085 if lines == 1 else 0.075
            self._write(note, (x, y + drop), size=8.0, ink=soft)
        return made

    def _outline(self, box: Box, shade: str, look: str) -> None:
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        self._ax.add_patch(
            FancyBboxPatch(
                corner,
                box.width,
                box.height,
                boxstyle="round,pad=0,rounding_size=0.07",
                facecolor=shade if look == "filled" else f"{shade}14",
                edgecolor=shade,
                linestyle=(0, (4, 2.5)) if look == "dashed" else "solid",
                linewidth=1.0,
            )
        )

    def _write(  # noqa: PLR0913
        self,
        text: str,
        at: Point,
        *,
        size: Number,
        ink: str,
        bold: bool = False,
        mono: bool = False,
        ha: str = "center",
        va: str = "center",
    ) -> None:
        face = "Source Code Pro" if mono else "Bytes Serif"
        self._ax.text(
            *at,
            text,
            family=[face, "Bytes Fallback"],
            fontsize=size,
            color=ink,
            weight="bold" if bold else "normal",
            ha=ha,
            va=va,
            linespacing=0.95,
        )

    def arrow(  # noqa: PLR0913
        self,
        start: Box,
        end: Box,
        label: str = "",
        *,
        sides: tuple[Side, Side] = ("right", "left"),
        role: str = "",
        both: bool = False,
    ) -> None:
        """Draw an arrow between two boxes, with one bend where it needs two.

        Args:
            start: where it leaves.
            end: where it points.
            label: words above the first stretch.
            sides: the side it leaves and the side it meets.
            role: a role's colour in place of ink.
            both: whether it has two heads.
        """
        first, last = start.port(sides[0], 0.03), end.port(sides[1], 0.03)
        points = _route(first, last, sides)
        codes = [Path.MOVETO] + [Path.LINETO] * (len(points) - 1)
        shade = colour(role) if role else INK
        self._ax.add_patch(
            FancyArrowPatch(
                path=Path(points, codes),
                arrowstyle="<|-|>" if both else "-|>",
                mutation_scale=7.5,
                linewidth=1.0,
                color=shade,
                joinstyle="miter",
                shrinkA=0,
                shrinkB=0,
            )
        )
        if label:
            (x0, y0), (x1, y1) = points[len(points) // 2 - 1 :][:2]
            ink = text_shade(shade)
            if y0 == y1:
                spot, align = ((x0 + x1) / 2, y0 - 0.04), ("center", "bottom")
            else:
                spot, align = (x0 + 0.06, (y0 + y1) / 2), ("left", "center")
            self._write(
                label, spot, size=8.0, ink=ink, ha=align[0], va=align[1]
            )

    def group(self, boxes: Sequence[Box], text: str = "") -> None:
        """Draw a thin frame around boxes, with a title in its corner.

        Args:
            boxes: what it holds, at least one.
            text: the title.

        Raises:
            ValueError: there are no boxes.
        """
        if not boxes:
            raise ValueError("a group frames boxes; pass at least one")
        pad, head = 0.09, 0.2 if text else 0.0
        left = min(box.x - box.width / 2 for box in boxes) - pad
        right = max(box.x + box.width / 2 for box in boxes) + pad
        top = min(box.y - box.height / 2 for box in boxes) - pad - head
        low = max(box.y + box.height / 2 for box in boxes) + pad
        self._ax.add_patch(
            FancyBboxPatch(
                (left, top),
                right - left,
                low - top,
                boxstyle="round,pad=0,rounding_size=0.1",
                facecolor="none",
                edgecolor=style.HAIR,
                linewidth=0.8,
                zorder=0.5,
            )
        )
        if text:
            spot = (left + pad, top + 0.06)
            self._write(text, spot, size=8.5, ink=INK, ha="left", va="top")

    def label(
        self,
        text: str,
        at: Point,
        *,
        role: str = "",
        mono: bool = False,
        ha: Literal["left", "center", "right"] = "center",
    ) -> None:
        """Write free text on the grid.

        Args:
            text: the words.
            at: (column, row).
            role: a role's colour in place of ink.
            mono: whether it is code or data.
            ha: which end of the text stands at the column.
        """
        ink = text_shade(colour(role)) if role else INK
        self._write(
            text, self._inches(at), size=8.5, ink=ink, mono=mono, ha=ha
        )


def _route(
    first: Point,
    last: Point,
    sides: tuple[Side, Side],
) -> list[Point]:
    """Return the corners of a path that leaves and arrives at right angles."""
    across = [side in ("left", "right") for side in sides]
    if across[0] and across[1]:
        if abs(first[1] - last[1]) < 1e-9:
            return [first, last]
        middle = (first[0] + last[0]) / 2
        return [first, (middle, first[1]), (middle, last[1]), last]
    if not across[0] and not across[1]:
        if abs(first[0] - last[0]) < 1e-9:
            return [first, last]
        middle = (first[1] + last[1]) / 2
        return [first, (first[0], middle), (last[0], middle), last]
    corner = (last[0], first[1]) if across[0] else (first[0], last[1])
    return [first, corner, last]
