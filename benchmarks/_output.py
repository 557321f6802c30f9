"""What every benchmark prints: tables to read, or figures to compare."""

import argparse
import json
import sys
from dataclasses import dataclass


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let the command line choose between the two."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON for each ratio, and the tables on stderr",
    )


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a script sends its tables and its ratios.

    Args:
        as_json: whether ratios go to stdout, one a line, and all else to
            stderr; otherwise tables alone are printed.
    """

    as_json: bool

    def line(self, text: str) -> None:
        file = sys.stderr if self.as_json else sys.stdout
        print(text, file=file, flush=True)

    def row(self, *cells: object) -> None:
        self.line("| " + " | ".join(map(str, cells)) + " |")

    def heading(self, *cells: str) -> None:
        self.line("")
        self.row(*cells)
        self.row(*["---"] * len(cells))

    def figure(
        self,
        what: str,
        ratio: float,
        *,
        against: str,
        target: float | None = None,
    ) -> None:
        """One ratio, above 1 where the package is the better of the two.

        Args:
            what: what was measured, with its sizes.
            ratio: times, bytes or errors of the other side over ours.
            against: the library that it is held against.
            target: the ratio that the documents claim, or None.

        Raises:
            ValueError: the ratio is infinite or not a number.
        """
        if not self.as_json:
            return
        line = {"what": what, "ratio": round(float(ratio), 4)}
        line |= {"target": target, "against": against}
        print(json.dumps(line, allow_nan=False), flush=True)
