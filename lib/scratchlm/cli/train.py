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
from scratchlm.foundation.extras import import_failure

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
        from scratchlm.training.pretraining.sinks import (  # noqa: PLC0415
            TensorBoardSink,
            WandbSink,
        )

        found: list[Sink] = []
        if self.tensorboard:
            begin = _steps_done(folder) or None
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
        told = asked_for(self, Train)
        folder = self.out or Path("runs") / told["recipe"]
        if self.dry_run:
            say(f"  {_time_if_known(announce(told))}")
            return
        new = not _is_of(folder, told)
        recipe = announce(told)
        if new:
            check_device(recipe.run.device)
            say(f"  {_time(recipe)}")
            _claim(folder, told)
        drive(recipe, folder, self)


@dataclass(frozen=True, kw_only=True)
class Resume(Watching):
    """Go on with a run that stopped, to the bit as if it had not.

    Example: python -m scratchlm resume runs/tinyworld-base
    """

    folder: Positional[Annotated[Path, arg(metavar="FOLDER")]] = field()
    """that train made"""

    def run(self) -> None:
        """Do it."""
        drive(announce(_told(self.folder)), self.folder, self)


@dataclass(frozen=True, kw_only=True)
class Recipes:
    """List the recipes, and what each of them costs.

    Example: python -m scratchlm recipes
    """

    def run(self) -> None:
        """Do it."""
        need_torch()
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


def recipe_command(base: type[Any], name: str) -> type[Any]:
    """Return the command that does something by one recipe.

    Args:
        base: the command without a recipe, such as :class:`Train`; where it
            has an option of the name of a setting, its own is taken.
        name: of the recipe; its arguments become the command's options.

    Raises:
        ValueError: there is no such recipe.
    """
    need_torch()
    from scratchlm.recipes.registry import find  # noqa: PLC0415

    function = find(name)
    hints = get_type_hints(function)
    says = _argument_texts(function)
    taken = {each.name for each in fields(base)}
    options = [
        (
            each.name,
            Annotated[hints[each.name], arg(help=says[each.name])],
            field(default=each.default),
        )
        for each in inspect.signature(function).parameters.values()
        if each.name not in taken
    ]
    made = make_dataclass(
        name, options, bases=(base,), frozen=True, kw_only=True
    )
    made.__doc__ = (
        f"{_first_line(function)}\n\n"
        f"Example: python -m scratchlm {base.__name__.lower()} {name} -o run"
    )
    return made


def asked_for(command: Any, base: type[Any]) -> dict[str, Any]:
    """Return the ``recipe`` by name and the ``settings`` of a command.

    Args:
        command: that :func:`recipe_command` made a type of.
        base: without a recipe.

    Raises:
        ValueError: no recipe was named.
    """
    if type(command) is base:
        raise ValueError(
            f"name a recipe behind {base.__name__.lower()}: {_names()}"
        )
    shared = {each.name for each in fields(base)}
    own = [each.name for each in fields(command) if each.name not in shared]
    return {
        "recipe": type(command).__name__,
        "settings": {each: getattr(command, each) for each in own},
    }


def announce(told: dict[str, Any]) -> "Recipe":
    """Print what a run costs before it begins; no data is read for it.

    Args:
        told: the ``recipe`` by name and its ``settings``.

    Raises:
        ValueError: there is no such recipe, or a setting is out of range.
    """
    need_torch()
    from scratchlm.recipes.plan import plan  # noqa: PLC0415
    from scratchlm.recipes.registry import make  # noqa: PLC0415

    recipe = make(told["recipe"], told["settings"])
    say(f"train: {recipe.name}")
    for line in plan(recipe).lines():
        say(f"  {line}")
    return recipe


def check_device(name: str, done: str = "trained") -> None:
    """Refuse a device that this machine does not have.

    Args:
        name: as PyTorch calls it.
        done: what shall be done there.

    Raises:
        ValueError: PyTorch cannot put a number on it.
    """
    import torch  # noqa: PLC0415

    try:
        float(torch.zeros(1, device=name))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"nothing can be {done} on the device {name!r}: "
            f"{str(error).partition(chr(10))[0]}; give another one with "
            "--device, such as cpu"
        ) from None


def drive(recipe: "Recipe", folder: Path, watching: Watching) -> None:
    """Train to the end of a run, and write its model.

    Args:
        recipe: of the run.
        folder: of the run.
        watching: how.

    Raises:
        ValueError: the run cannot go on.
        Interrupted: somebody asked the run to end.
    """
    from scratchlm.recipes.artifact import MANIFEST, publish  # noqa: PLC0415
    from scratchlm.recipes.following import follow  # noqa: PLC0415
    from scratchlm.training.pretraining.interruption import (  # noqa: PLC0415
        requests_to_end,
    )

    check_device(recipe.run.device)
    model, done = folder / "model", _steps_done(folder)
    if done == recipe.run.n_steps and (model / MANIFEST).exists():
        say(f"train: this run is finished; its model is in {model}")
        return
    if done:
        say(f"train: goes on after step {done} of {recipe.run.n_steps}")
    with (
        requests_to_end() as request,
        tqdm(
            total=recipe.run.n_steps,
            initial=done,
            unit="step",
            disable=not watching.progress,
        ) as bar,
    ):
        sinks = watching.sinks(folder)
        for step in follow(recipe, folder, request=request, sinks=sinks):
            bar.update(step.step + 1 - bar.n)
            bar.set_postfix(_shown(step))
    say(f"train: writing {model}")
    publish(recipe, folder, model)


def _time(recipe: "Recipe") -> str:
    """Take some steps, and return what all of them will take."""
    from scratchlm.recipes.plan import plan, seconds_per_step  # noqa: PLC0415

    each = seconds_per_step(recipe)
    return plan(recipe, seconds_per_step=each).lines()[-1]


def _time_if_known(recipe: "Recipe") -> str:
    try:
        check_device(recipe.run.device)
        return _time(recipe)
    except ValueError as error:
        return f"time unknown: {error}"


def _steps_done(folder: Path) -> int:
    from scratchlm.training.pretraining.checkpoint import (  # noqa: PLC0415
        checkpoints,
    )
    from scratchlm.training.pretraining.loop import (  # noqa: PLC0415
        CHECKPOINTS,
    )

    kept = checkpoints(folder / CHECKPOINTS)
    return kept[-1][0] if kept else 0


def _shown(step: "Step") -> dict[str, str]:
    shown = {"loss": f"{step.loss:.3f}"}
    if step.held_out is not None:
        shown["held_out"] = f"{step.held_out:.3f}"
    return shown


def _is_of(folder: Path, told: dict[str, Any]) -> bool:
    """Whether a folder is of a run already; a ValueError if of another."""
    if not (folder / RUN).exists():
        return False
    check_same(
        folder,
        _told(folder),
        told,
        f"go on with that run by: python -m scratchlm resume {folder}",
    )
    return True


def check_same(
    folder: Path, found: dict[str, Any], told: dict[str, Any], otherwise: str
) -> None:
    """Refuse to go on with a run that is another one.

    Args:
        folder: of the run.
        found: what is said there, the ``recipe`` and its ``settings``.
        told: what is asked for.
        otherwise: what to do if the run in the folder is the one that is
            wanted.

    Raises:
        ValueError: it is of another recipe, or of other settings.
    """
    if found["recipe"] != told["recipe"]:
        raise ValueError(
            f"{folder} is of {found['recipe']}, not of {told['recipe']}; "
            "name another folder with -o"
        )
    then, now = found["settings"], told["settings"]
    changed = [
        f"{name} was {then.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    ]
    if changed:
        raise ValueError(
            f"{folder} is of a run with other settings: "
            f"{'; '.join(changed)}. Name another folder with -o, or "
            f"{otherwise}"
        )


def _claim(folder: Path, told: dict[str, Any]) -> None:
    """Write into a folder which run it is of."""
    from scratchlm.foundation.durable import write_whole  # noqa: PLC0415

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
    if (
        not isinstance(told, dict)
        or told.keys() != KEYS
        or not isinstance(told["settings"], dict)
        or not all(isinstance(told[name], str) for name in ("recipe", "id"))
    ):
        raise ValueError(f"{path} is damaged: it names no recipe and settings")
    return told


def _names() -> str:
    need_torch()
    from scratchlm.recipes.registry import RECIPES  # noqa: PLC0415

    return ", ".join(RECIPES)


def need_torch(need: str = "training needs PyTorch and safetensors") -> None:
    """Refuse to go on without PyTorch.

    Args:
        need: why it is needed.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import torch  # noqa: F401, PLC0415
    except ImportError as error:
        raise ValueError(import_failure(need, "torch", error)) from error


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
