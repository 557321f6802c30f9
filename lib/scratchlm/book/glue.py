"""Put computed values where a page can show them."""

from collections.abc import Iterable, Sequence
from typing import Any

from IPython.display import Markdown
from myst_nb import glue as glue_one


def glue(**values: object) -> None:
    """Glue each value under its name, with dashes for underscores.

    ``glue(bytes_per_token=3.9)`` lets the page write
    ``{glue:text}`bytes-per-token:.1f```. Nothing is displayed.

    Numbers of NumPy and PyTorch become Python's: a page holds what a value
    prints, and ``tensor(3.9)`` cannot be formatted.

    Args:
        **values: what the page quotes; numbers can be formatted there.
    """
    for name, value in values.items():
        glue_one(name.replace("_", "-"), _plain(value), display=False)


def _plain(value: Any) -> object:
    return value.item() if getattr(value, "ndim", None) == 0 else value


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Markdown:
    """Show rows as a table, the first column left, the others right.

    Args:
        header: the name of each column.
        rows: what stands in them, formatted already where that matters.

    Raises:
        ValueError: a row has another number of cells than the header.
    """
    lines = [list(header), ["---"] + ["---:"] * (len(header) - 1)]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(
                f"the row {list(row)} has {len(row)} cells under "
                f"{len(header)} columns; give one cell for each column"
            )
        lines.append([str(cell) for cell in row])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return Markdown(text)  # type: ignore[no-untyped-call]
