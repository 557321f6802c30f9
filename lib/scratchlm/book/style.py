"""One look for every figure of the book: typeface, palette, vector output.

A page calls ``style.use()`` once, before its first figure.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

# Said in full: the tests check types at run time, where 2 is no float.
Number = float | int
Point = tuple[Number, Number]

INK = "#1b1f26"
HAIR = "#b9bfc7"

# Chosen by search: at least 20 CIELAB units apart for every pair, for normal
# sight and three kinds of colour blindness, on white and after the inversion
# of the dark theme; at least 3:1 against either page (WCAG 2.1, 1.4.11).
ROLES = MappingProxyType(
    {
        "ours": "#234fa3",
        "reference": "#e06000",
        "limit": "#0d9a66",
        "bad": "#6e0f2c",
        "neutral": "#7d8894",
    }
)

# In inches. The PDF shrinks a wide one to its text block of 5.3 inches.
WIDTHS = MappingProxyType({"text": 5.3, "wide": 6.4})

# Where each format keeps its date, which would make equal figures differ.
_STAMPS = {"svg": "Date", "pdf": "CreationDate"}

# Any, because matplotlib types each of its own keys as a literal.
_RC: Any = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width"), 0.7),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 8.5),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
    "ytick.major.width": 0.7,
    "font.family": ["Bytes Serif", "Bytes Fallback"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "mathtext.fontset": "custom",
    "mathtext.rm": "Bytes Serif",
    "mathtext.it": "Bytes Serif:italic",
    "mathtext.bf": "Bytes Serif:bold",
    "mathtext.bfit": "Bytes Serif:bold:italic",
    "mathtext.sf": "Bytes Sans",
    "mathtext.tt": "Source Code Pro",
    "mathtext.cal": "Bytes Serif:italic",
    "mathtext.fallback": "stix",
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(ROLES.values())),
    "grid.color": HAIR,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "figure.figsize": (WIDTHS["text"], 2.9),
    "figure.constrained_layout.use": True,
    # An <img> cannot see the fonts of its page, so SVG carries outlines;
    # a PDF embeds the font itself and its text stays searchable.
    "svg.fonttype": "path",
    "svg.hashsalt": "from-bytes-to-assistant",
    "pdf.fonttype": 42,
}


def colour(role: str) -> str:
    """Return the colour of a role as ``#rrggbb``.

    Args:
        role: ``ours``, ``reference``, ``limit``, ``bad`` or ``neutral``.

    Raises:
        ValueError: the role has no colour.
    """
    if role not in ROLES:
        raise ValueError(
            f"no colour has the role {role!r}; the roles are "
            f"{', '.join(ROLES)}; for further series use sequence(n)"
        )
    return ROLES[role]


def sequence(n: int) -> list[str]:
    """Return ``n`` colours, dark to light, for series that have an order.

    Args:
        n: number of series, at least 1.

    Raises:
        ValueError: ``n`` is below 1.

    Source: Nuñez, Anderton and Renslow 2018, "Optimizing colormaps with
    consideration for color vision deficiency" (the map cividis).
    """
    if n < 1:
        raise ValueError(f"sequence({n}) has no colours; ask for 1 or more")
    # Beyond 0.62 the map is too light for thin lines on white.
    stops = np.linspace(0.0, 0.62, n)
    return [to_hex(mpl.colormaps["cividis"](stop)) for stop in stops]


def figure(
    width: str = "text",
    height: Number = 2.9,
    *,
    rows: int = 1,
    columns: int = 1,
    share: Literal["none", "x", "y", "both"] = "none",
) -> tuple[Figure, Any]:
    """Make a figure that fits the page, and its axes.

    pyplot does not know it: a cell shows it as its value or by glue, once.

    Args:
        width: ``text`` (5.3 inches) or ``wide`` (6.4 inches).
        height: height in inches.
        rows: rows of axes.
        columns: columns of axes.
        share: which scales the axes have in common.

    Returns:
        The figure and one ``Axes``, or an array of them as
        ``Figure.subplots`` gives.

    Raises:
        ValueError: the width has no such name.
    """
    if width not in WIDTHS:
        raise ValueError(
            f"width {width!r} is not a page width; use {' or '.join(WIDTHS)}"
        )
    fig = Figure(figsize=(WIDTHS[width], height), layout="constrained")
    axes = fig.subplots(
        rows,
        columns,
        sharex=share in ("x", "both"),
        sharey=share in ("y", "both"),
    )
    return fig, axes


def label_line(
    ax: Axes,
    line: Line2D,
    text: str | None = None,
    *,
    x: Number | None = None,
    offset: Point = (5.0, 0.0),
) -> Annotation:
    """Write a line's name beside it, in its colour, in place of a legend.

    Args:
        ax: the axes that hold the line.
        line: what ``ax.plot`` returned (one element of it).
        text: the name; the line's own label by default.
        x: where on the x axis, in data units; the line's end by default.
        offset: distance in points; the text grows away from the point.

    Raises:
        ValueError: the line has no points.
    """
    xs = np.asarray(line.get_xdata(), dtype=float)
    ys = np.asarray(line.get_ydata(), dtype=float)
    if not len(xs):
        raise ValueError("the line has no points to write a label beside")
    at = len(xs) - 1 if x is None else int(np.argmin(np.abs(xs - x)))
    name = str(line.get_label()) if text is None else text
    side = {1: "left", 0: "center", -1: "right"}[int(np.sign(offset[0]))]
    return ax.annotate(
        name,
        (xs[at], ys[at]),
        xytext=offset,
        textcoords="offset points",
        color=text_shade(to_hex(line.get_color())),
        ha=side,
        va="center",
        annotation_clip=False,
    )


def text_shade(shade: str) -> str:
    """Return the darker twin of a colour that small text needs.

    Lines read at 3:1 against the page, text at 4.5:1 (WCAG 2.1, 1.4.3).

    Args:
        shade: any colour that matplotlib knows.
    """
    mixed = 0.7 * np.array(to_rgb(shade)) + 0.3 * np.array(to_rgb(INK))
    red, green, blue = (float(part) for part in mixed)
    return to_hex((red, green, blue))


def font_paths() -> Sequence[str]:
    """Return the paths of the book's font files."""
    folder = files("scratchlm.book") / "fonts"
    return sorted(
        str(path) for path in folder.iterdir() if path.name.endswith(".ttf")
    )


def save(fig: Figure, target: Any, kind: Literal["svg", "pdf"]) -> None:
    """Write a figure without the date, so that equal input is equal bytes.

    Args:
        fig: the figure.
        target: a path or a binary file.
        kind: ``svg`` or ``pdf``.
    """
    with mpl.rc_context(_RC):
        fig.savefig(target, format=kind, metadata={_STAMPS[kind]: None})


def use() -> None:
    """Give every later figure of this process the style of the book.

    In a notebook, figures then appear as SVG and PDF, as wide as they say.
    """
    _add_fonts()
    mpl.rcParams.update(_RC)
    _use_inline()


def _add_fonts() -> None:
    """Tell matplotlib of the book's faces, each weight answered for."""
    known = font_manager.fontManager.ttflist
    for path in set(font_paths()) - {str(entry.fname) for entry in known}:
        font_manager.fontManager.addfont(path)
        entry = known[-1]
        # A bold title asks each family for 700. One that has no such weight
        # would log to stderr, where a page's build takes it for a failure.
        if entry.name == "Bytes Fallback" or entry.weight == 600:
            known.append(replace(entry, weight=700))


def _use_inline() -> None:
    """Make an IPython kernel, where there is one, show SVG and PDF."""
    try:
        from IPython import get_ipython  # noqa: PLC0415
        from IPython.core.pylabtools import print_figure  # noqa: PLC0415
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return
    # Loading pyplot makes the inline backend choose formats; it must do so
    # now, or it would undo the choice below when a page imports pyplot.
    import matplotlib.pyplot as plt  # noqa: PLC0415
    from matplotlib_inline.backend_inline import (  # noqa: PLC0415
        set_matplotlib_formats,
    )

    plt.get_backend()
    set_matplotlib_formats("svg", "pdf")  # type: ignore[no-untyped-call]
    for mime, kind in (("image/svg+xml", "svg"), ("application/pdf", "pdf")):
        shell.display_formatter.formatters[mime].for_type(
            Figure,
            partial(
                print_figure,
                fmt=kind,
                bbox_inches=None,
                base64=kind == "pdf",
                metadata={_STAMPS[kind]: None},
            ),
        )
    mpl.rcParams.update(_RC)
