"""Train every shipped artifact again, and compare.

    make retrain                                  # all of them, about an hour
    python benchmarks/_retrain.py tinyworld-tiny  # one of them

Each run goes on where it stopped, in ``_build/retrained``. Another processor
rounds otherwise, so that losses are compared within a tolerance.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from scratchlm.recipes.artifact import (
    MANIFEST,
    SHIPPED,
    publish,
    read_manifest,
)
from scratchlm.recipes.following import follow
from scratchlm.recipes.registry import make

FOLDER = Path(__file__).parents[1] / "_build" / "retrained"
# Of the held-out loss, in its own unit; guessed: several times what another
# order of additions changes, and less than another seed does.
TOLERANCE = 0.02


def retrained(name: str, folder: Path) -> dict[str, Any]:
    """Train by a recipe, and return the manifest of what came out."""
    recipe = make(name)
    run = folder / name
    steps = follow(recipe, run)
    for _ in tqdm(steps, desc=name, unit="step", total=recipe.run.n_steps):
        pass
    return publish(recipe, run, run / "model")


def differences(
    shipped: Mapping[str, Any], again: Mapping[str, Any], tolerance: float
) -> list[str]:
    """Return what two manifests of one recipe disagree about."""
    found = []
    if shipped["settings"] != again["settings"]:
        found.append("the recipe has other settings now")
    if shipped["tokens"] != again["tokens"]:
        found.append(
            f"it read {shipped['tokens']:,} tokens, and now "
            f"{again['tokens']:,}"
        )
    then, now = (each["held_out"][-1][1] for each in (shipped, again))
    if not abs(now - then) <= tolerance:
        found.append(f"its held-out loss was {then:.4f} and is {now:.4f}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Compare, and return 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="of artifacts; all if none")
    parser.add_argument("--shipped", type=Path, default=SHIPPED)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    given = parser.parse_args(arguments)
    known = [path.parent for path in given.shipped.glob(f"*/{MANIFEST}")]
    wanted = [p for p in sorted(known) if p.name in (given.names or [p.name])]
    if not wanted:
        print(f"there is no such artifact in {given.shipped}", file=sys.stderr)
        return 2
    failed = False
    for path in wanted:
        shipped = read_manifest(path)
        again = retrained(shipped["recipe"], given.folder)
        found = differences(shipped, again, given.tolerance)
        failed |= bool(found)
        print(f"{path.name}: {'; '.join(found) or 'as it is shipped'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
