"""Curves of runs in one picture, in the style of the book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogFormatter, MaxNLocator

from scratchlm.book import style
from scratchlm.foundation.durable import write_whole

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "step": "step",
        "tokens": "tokens trained on",
        "seconds": "time (s)",
        "loss": "loss (nats per token)",
        "held_out": "held-out loss (nats per token)",
        "norm": "norm of the gradient",
        "rate": "learning rate (part of its peak)",
        "skipped": "steps skipped (1 for each)",
    }
)
KINDS = (".png", ".svg", ".pdf")
_APART = 11.0  # points between labels, of which one is 9 points high
_DOTS = 200  # to an inch; guessed: sharp on a screen twice as dense as most


@dataclass(frozen=True, kw_only=True)
class Look:
    """What of the runs is drawn, and how.

    Args:
        x: the column on the horizontal axis.
        y: the column on the vertical one.
        smooth: rows around each point of which it is the mean; the rows
            themselves are then drawn pale behind.
        log: make the vertical scale logarithmic.
        floor: a value that no curve can go below, drawn as a line.
    """

    x: str
    y: str
    smooth: int = 1
    log: bool = False
    floor: float | None = None


def draw(curves: Mapping[str, tuple[Any, Any]], look: Look) -> Figure:
    """Draw curves with their names beside them.

    A value that is not finite, or on a logarithmic scale not positive, is a
    gap. What is measured only now and then is a line with dots.

    Args:
        curves: by name, the values on both axes, one of each for a row.
        look: which columns they are, and how they are drawn.

    Raises:
        ValueError: a curve has no value that can be drawn.
    """
    style.use()
    fig, ax = style.figure("wide", 3.6)
    fig.set_facecolor("white")  # who opens the file may read it on black
    ax.margins(x=0.01)
    if look.log:
        _make_logarithmic(ax)
    shades = _shades(len(curves))
    lines = [
        _curve(ax, name, curve, look, shade)
        for (name, curve), shade in zip(curves.items(), shades, strict=True)
    ]
    if look.floor is not None:
        _draw_floor(ax, look.floor)
    ax.set_xlabel(LABELS.get(look.x, look.x))
    ax.set_ylabel(LABELS.get(look.y, look.y))
    if look.x == "tokens":
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    elif look.x == "step":
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    _name(fig, ax, lines)
    return fig


def _make_logarithmic(ax: Axes) -> None:
    ax.set_yscale("log")
    # 2 and 5 rather than products with a power of ten.
    for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        axis(LogFormatter(minor_thresholds=(1.5, 0.6)))


def _draw_floor(ax: Axes, floor: float) -> None:
    ax.axhline(floor, color=style.INK, linestyle="--", linewidth=0.8)
    ax.annotate(
        f"floor {floor:g}",
        (0.0, floor),
        xycoords=("axes fraction", "data"),
        xytext=(4, 3),
        textcoords="offset points",
    )


def _shades(n: int) -> Sequence[str]:
    """Colours that differ; those of an order where there are many."""
    roles = ("ours", "reference", "bad", "limit", "neutral")[:n]
    if n > len(roles):
        return style.sequence(n)
    return [style.colour(role) for role in roles]


def _curve(
    ax: Axes, name: str, curve: tuple[Any, Any], look: Look, shade: str
) -> Line2D:
    xs, ys = curve
    there = np.isfinite(ys) & np.isfinite(xs) & ((ys > 0) | (not look.log))
    if not there.any():
        raise ValueError(
            f"{look.y} of {name} has no value that "
            + ("is above 0; give no --log" if look.log else "is a number")
            + ", or another column"
        )
    sparse = _now_and_then(there)
    if sparse:
        xs, ys, there = xs[there], ys[there], there[there]
    gaps = np.where(there, ys, np.nan)
    how: dict[str, Any] = {"color": shade, "marker": "o" if sparse else None}
    if look.smooth > 1:
        ax.plot(xs, gaps, **how, linewidth=0.7, alpha=0.3)
        gaps = running_mean(gaps, look.smooth)
    (line,) = ax.plot(xs, gaps, **how, label=name)
    return line


def _now_and_then(there: Bool[np.ndarray, " n"]) -> bool:
    """Whether half of the values or more have no neighbour."""
    beside = np.zeros_like(there)
    beside[1:] |= there[:-1]
    beside[:-1] |= there[1:]
    alone = there & ~beside
    return len(there) > 1 and bool(2 * alone.sum() >= there.sum())


def running_mean(
    values: Float[np.ndarray, " n"], width: int
) -> Float[np.ndarray, " n"]:
    """Return at each place the mean of it and of those around it.

    Args:
        values: nan where there is none, which stays so.
        width: how many places count; gaps and those beyond the ends do not.
    """
    there = np.isfinite(values)
    width = min(width, 2 * len(values))  # which reaches both ends
    first, window = (width - 1) // 2, np.ones(width)
    # Sums of each window, since a difference of sums over all rows loses the
    # digits of a small loss behind a large one.
    sums, counts = (
        np.convolve(each, window)[first : first + len(values)]
        for each in (np.where(there, values, 0.0), there.astype(float))
    )
    return np.where(there, sums / np.maximum(counts, 1), np.nan)


def _name(fig: Figure, ax: Axes, lines: Sequence[Line2D]) -> None:
    """Write each name beside the end of its line, none over another."""
    fig.draw_without_rendering()  # which places the axes
    ends = []
    for line in lines:
        xs, ys = (np.asarray(each, float) for each in line.get_data())
        last = int(np.flatnonzero(np.isfinite(ys))[-1])
        height = ax.transData.transform((xs[last], ys[last]))[1]
        ends.append((height * 72 / fig.dpi, xs[last], line))
    ends.sort(key=lambda end: end[0])
    placed = _apart([height for height, _, _ in ends])
    for (height, x, line), at in zip(ends, placed, strict=True):
        style.label_line(ax, line, x=float(x), offset=(5.0, at - height))


def _apart(heights: Sequence[float]) -> list[float]:
    """Ascending heights, moved as little as keeps them apart."""
    groups: list[list[float]] = []  # centre and number of labels that touch
    for height in heights:
        groups.append([height, 1])
        while len(groups) > 1:
            (low, n), (high, m) = groups[-2:]
            if high - low >= _APART * (n + m) / 2:
                break
            groups[-2:] = [[(n * low + m * high) / (n + m), n + m]]
    return [
        centre + _APART * (i - (n - 1) / 2)
        for centre, n in groups
        for i in range(int(n))
    ]


def write(fig: Figure, path: Path) -> None:
    """Write a picture; equal curves give equal bytes.

    Args:
        fig: the picture.
        path: whose ending, one of ``KINDS``, says which format.

    Raises:
        ValueError: the folder is missing.
        OSError: the file cannot be written.
    """
    data, kind = BytesIO(), path.suffix.lower()
    if kind == ".png":
        with mpl.rc_context({"savefig.dpi": _DOTS}):
            fig.savefig(data, format="png", metadata={"Software": None})
    else:
        style.save(fig, data, "svg" if kind == ".svg" else "pdf")
    write_whole(path, data.getvalue())
