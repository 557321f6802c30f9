"""``plot``: what runs did, side by side."""

from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from scratchlm.cli.options import say
from scratchlm.foundation.extras import import_failure

LOG = "log.csv"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Draw and compare the curves of runs.

    Reads the log.csv of each folder, also while a run is writing it. A value
    that is not finite is a gap in its curve.

    Example: python -m scratchlm plot runs/small runs/large --smooth 20 -o
    loss.svg
    """

    folders: Positional[
        Annotated[
            tuple[Path, ...],
            arg(metavar="FOLDER", help="folders of runs, or their log.csv"),
        ]
    ]
    out: Annotated[
        Path,
        arg(
            aliases=["-o"],
            metavar="FILE",
            help="the picture, a .png, .svg or .pdf file",
        ),
    ] = Path("curves.png")
    column: str = "loss"
    """which column of the logs to draw, such as held_out or norm"""
    x: Literal["step", "tokens", "seconds"] = "step"
    """over what to draw it"""
    smooth: int = 1
    """draw the mean of so many rows, and the rows themselves pale behind"""
    floor: float | None = None
    """draw a line at this value, below which no curve can go"""
    log: bool = False
    """make the vertical scale logarithmic"""

    def run(self) -> None:
        """Do it."""
        self._check()
        try:
            from scratchlm.cli.curves import (  # noqa: PLC0415
                KINDS,
                Look,
                draw,
                write,
            )
            from scratchlm.training.pretraining.log import (  # noqa: PLC0415
                read_log,
            )
        except ImportError as error:
            need = "plot needs matplotlib and PyTorch"
            raise ValueError(import_failure(need, "plot", error)) from error

        if self.out.suffix.lower() not in KINDS:
            raise ValueError(
                f"{self.out} has the ending {self.out.suffix!r}; give a file "
                f"that ends in {' or '.join(KINDS)}"
            )
        curves = {}
        for name, folder in zip(self._names(), self.folders, strict=True):
            path = folder / LOG if folder.suffix != ".csv" else folder
            table = read_log(path)
            columns = [_column(table, c, path) for c in (self.x, self.column)]
            curves[name] = (columns[0].astype(float), columns[1])
        look = Look(
            x=self.x,
            y=self.column,
            smooth=self.smooth,
            log=self.log,
            floor=self.floor,
        )
        fig = draw(curves, look)
        write(fig, self.out)
        say(f"plot: {self.column} of {', '.join(curves)} drawn in {self.out}")

    def _check(self) -> None:
        if not self.folders:
            raise ValueError("there is nothing to draw; give folders of runs")
        if not 1 <= self.smooth < inf:
            raise ValueError(f"--smooth is {self.smooth}; give 1 or more")
        if self.floor is not None and not (
            isfinite(self.floor) and (self.floor > 0 or not self.log)
        ):
            above = " above 0" if self.log else ""
            raise ValueError(
                f"--floor is {self.floor:g}; give a finite number{above}"
            )

    def _names(self) -> list[str]:
        """Short names of the runs that differ."""
        folders = [
            (each.parent if each.name == LOG else each).resolve()
            for each in self.folders
        ]
        if len(set(folders)) < len(folders):
            raise ValueError("a folder is given twice; give each once")
        n = 1
        while len({each.parts[-n:] for each in folders}) < len(folders):
            n += 1
        return ["/".join(each.parts[-n:]).lstrip("/") for each in folders]


def _column(table: dict[str, Any], name: str, path: Path) -> Any:
    if name not in table:
        raise ValueError(
            f"{path} has no column {name}; it has {', '.join(table)}"
        )
    if not len(table[name]):
        raise ValueError(f"{path} has no rows yet; wait for the first step")
    return table[name]
