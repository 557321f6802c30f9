"""``train``, ``resume`` and ``recipes``: from text to a model."""

import inspect
import json
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints
from uuid import uuid4

from tqdm import tqdm
from tyro.conf import Positional, arg

from scratchlm.cli.options import Progress, say

if TYPE_CHECKING:
    from scratchlm.recipes.recipe import Recipe
    from scratchlm.training.pretraining.log import Sink
    from scratchlm.training.pretraining.step import Step

RUN = "run.json"
KEYS = {"recipe", "settings", "id"}


@dataclass(frozen=True, kw_only=True)
class Watching:
    """How a run is watched."""

    progress: Progress = True
    tensorboard: bool = False
    """write events for TensorBoard into the folder too"""
    wandb: str | None = None
    """send each step to this project of Weights & Biases too"""

    def sinks(self, folder: Path) -> tuple["Sink", ...]:
        """Return where the rows of the log go, beside the file."""
        from scratchlm.training.pretraining.checkpoint import (  # noqa: PLC0415
            checkpoints,
        )
        from scratchlm.training.pretraining.loop import (  # noqa: PLC0415
            CHECKPOINTS,
        )
        from scratchlm.training.pretraining.sinks import (  # noqa: PLC0415
            TensorBoardSink,
            WandbSink,
        )

        found: list[Sink] = []
        if self.tensorboard:
            kept = checkpoints(folder / CHECKPOINTS)
            begin = kept[-1][0] if kept else None
            found.append(TensorBoardSink(folder, resumed_at=begin))
        if self.wandb is not None:
            told = _told(folder)
            found.append(
                WandbSink(
                    self.wandb,
                    folder.name,
                    folder=folder,
                    about={k: told[k] for k in ("recipe", "settings")},
                    run=told["id"],
                )
            )
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Train(Watching):
    """Train a model by a recipe.

    Each recipe has options of its own: python -m scratchlm train RECIPE
    --help lists them. What the run costs is printed first. The same command
    goes on where a run stopped.

    Example: python -m scratchlm train tinyworld-tiny -o tiny --n-steps 100
    """

    out: Annotated[
        Path | None,
        arg(
            aliases=["-o"],
            metavar="FOLDER",
            help="for checkpoints, log.csv and the model; runs/RECIPE if not "
            "given",
        ),
    ] = None
    dry_run: bool = False
    """print what the run costs, and end"""

    def run(self) -> None:
        """Do it."""
        name = type(self).__name__
        shared = {each.name for each in fields(Train)}
        own = [each.name for each in fields(self) if each.name not in shared]
        settings = {each: getattr(self, each) for each in own}
        folder = self.out or Path("runs") / name
        if self.dry_run:
            announce(name, settings)
            return
        _claim(folder, {"recipe": name, "settings": settings})
        drive(folder, self)


@dataclass(frozen=True, kw_only=True)
class Resume(Watching):
    """Go on with a run that stopped, to the bit as if it had not.

    Example: python -m scratchlm resume runs/tinyworld-base
    """

    folder: Positional[Annotated[Path, arg(metavar="FOLDER")]] = field()
    """that train made"""

    def run(self) -> None:
        """Do it."""
        drive(self.folder, self)


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """List the recipes, and what each of them costs."""

    def run(self) -> None:
        """Do it."""
        from scratchlm.recipes.plan import plan  # noqa: PLC0415
        from scratchlm.recipes.registry import (  # noqa: PLC0415
            RECIPES,
            make,
        )

        for name, function in RECIPES.items():
            costs = plan(make(name))
            print(f"{name}\n    {_first_line(function)}")
            for line in costs.lines():
                print(f"    {line}")


def train_command(name: str) -> type[Train]:
    """Return the command that trains by one recipe.

    Args:
        name: of the recipe; its arguments become the command's options.

    Raises:
        ValueError: there is no such recipe.
    """
    from scratchlm.recipes.registry import find  # noqa: PLC0415

    function = find(name)
    hints = get_type_hints(function)
    says = _argument_texts(function)
    options = [
        (
            each.name,
            Annotated[hints[each.name], arg(help=says[each.name])],
            field(default=each.default),
        )
        for each in inspect.signature(function).parameters.values()
    ]
    made = make_dataclass(
        name, options, bases=(Train,), frozen=True, kw_only=True
    )
    made.__doc__ = _first_line(function)
    return made


def announce(name: str, settings: dict[str, Any]) -> "Recipe":
    """Print what a run costs before it begins.

    Args:
        name: of the recipe.
        settings: that differ from its own.
    """
    from scratchlm.recipes.plan import plan, seconds_per_step  # noqa: PLC0415
    from scratchlm.recipes.registry import make  # noqa: PLC0415

    recipe = make(name, settings)
    say(f"train: {name}")
    for line in plan(recipe).lines():
        say(f"  {line}")
    each = seconds_per_step(recipe)
    say(f"  {plan(recipe, seconds_per_step=each).lines()[-1]}")
    return recipe


def drive(folder: Path, watching: Watching) -> None:
    """Train to the end of a run, and write its model.

    Args:
        folder: of the run.
        watching: how.

    Raises:
        ValueError: the folder holds no run, or the run cannot go on.
        Interrupted: somebody asked the run to end.
    """
    from scratchlm.recipes.artifact import publish  # noqa: PLC0415
    from scratchlm.training.pretraining.interruption import (  # noqa: PLC0415
        requests_to_end,
    )
    from scratchlm.training.pretraining.loop import train  # noqa: PLC0415

    told = _told(folder)
    recipe = announce(told["recipe"], told["settings"])
    run = recipe.run
    with (
        requests_to_end() as request,
        tqdm(
            total=run.n_steps, unit="step", disable=not watching.progress
        ) as bar,
    ):
        sinks = watching.sinks(folder)
        for step in train(run, folder, request=request, sinks=sinks):
            bar.update(step.step + 1 - bar.n)
            bar.set_postfix(_shown(step))
    say(f"train: writing {folder / 'model'}")
    publish(recipe, folder, folder / "model")


def _shown(step: "Step") -> dict[str, str]:
    shown = {"loss": f"{step.loss:.3f}"}
    if step.held_out is not None:
        shown["held_out"] = f"{step.held_out:.3f}"
    return shown


def _claim(folder: Path, told: dict[str, Any]) -> None:
    """Write into a folder which run it is of, unless it says so already."""
    from scratchlm.foundation.durable import write_whole  # noqa: PLC0415

    if (folder / RUN).exists():
        found = _told(folder)
        if any(found[name] != told[name] for name in told):
            raise ValueError(
                f"{folder} is of {found['recipe']} with {found['settings']}, "
                f"not of {told['recipe']} with {told['settings']}; name "
                "another folder with -o"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    told = told | {"id": uuid4().hex}
    write_whole(folder / RUN, json.dumps(told, indent=1).encode() + b"\n")


def _told(folder: Path) -> dict[str, Any]:
    path = folder / RUN
    try:
        told = json.loads(path.read_text("utf8"))
    except FileNotFoundError:
        raise ValueError(
            f"there is no {path}; give the folder of a run, as train makes it"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(told, dict) or told.keys() != KEYS:
        raise ValueError(f"{path} names no recipe with settings")
    return told


def _first_line(function: Any) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


def _argument_texts(function: Any) -> dict[str, str]:
    """Return what a docstring says of each argument."""
    _, _, text = (inspect.getdoc(function) or "").partition("Args:\n")
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        name, colon, rest = line.strip().partition(": ")
        if colon and line.startswith("    ") and line[4] != " ":
            found[name] = rest
            last = name
        else:
            found[last] += " " + line.strip()
    return found
