"""What each process of a launched run does: ``python -m scratchlm.cli.rank``.

Its launcher, torchrun or Slurm, says which rank it is; the folder of the run
says the rest.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchlm.cli.launch import read_launch
from scratchlm.cli.options import say

if TYPE_CHECKING:
    from torch import distributed as dist

    from scratchlm.recipes.recipe import Recipe
    from scratchlm.scaling.accounting.job import Mesh
    from scratchlm.scaling.launching.rendezvous import Place

USER_ERROR = 2


def main(
    arguments: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Train as one rank of a run.

    Args:
        arguments: the folder of the run; those of this process by default.
        environ: in which the launcher has said which rank this is.

    Returns:
        The exit code: 0 done, 2 a mistake in what was given, 128 and the
        number of the signal if one ended it.
    """
    words = sys.argv[1:] if arguments is None else [*arguments]
    try:
        _train(words, environ)
    except KeyboardInterrupt as stopped:
        say(f"scratchlm: {stopped}")
        return 128 + getattr(stopped, "number", 2)
    except ValueError as error:
        say(f"scratchlm: {' '.join(str(error).split())}")
        return USER_ERROR
    return 0


def _train(words: Sequence[str], environ: Mapping[str, str]) -> None:
    if len(words) != 1:
        raise ValueError(
            f"{len(words)} words were given; give the folder of a run, as "
            "launch makes it"
        )
    folder = Path(words[0])
    told = read_launch(folder)
    from scratchlm.recipes.registry import make  # noqa: PLC0415
    from scratchlm.scaling.launching.rendezvous import (  # noqa: PLC0415
        find_place,
        joined,
    )

    place = find_place(environ)
    recipe = make(told["recipe"], told["settings"])
    with joined(place, device=recipe.run.device) as group:
        _work(recipe.run, told, folder, place, group)
    if place.rank == 0:
        _write_model(recipe, folder)


def _work(
    run: Any,
    told: dict[str, Any],
    folder: Path,
    place: "Place",
    group: "dist.ProcessGroup",
) -> None:
    from scratchlm.scaling.accounting.job import Mesh  # noqa: PLC0415
    from scratchlm.scaling.launching.worker import (  # noqa: PLC0415
        Work,
        work,
    )

    mesh = fitted(Mesh(**told["mesh"]), place.world)
    shares = {name: told[name] for name in ("zero", "n_micro", "sequence")}
    # What one process does by itself, and ranks by the mesh or not at all.
    plain = replace(
        run,
        dtype="float32",
        compiled=False,
        recompute=False,
        n_micro=1,
        evaluate=None,
        evaluate_every=0,
        save_every=told["save_every"],
    )
    for step in work(Work(run=plain, mesh=mesh, **shares), folder, group):
        if place.rank == 0:
            say(f"step {step.step + 1} of {run.n_steps}: {step.loss:.4f}")


def _write_model(recipe: "Recipe", folder: Path) -> None:
    """Write what the ranks have trained where ``generate`` finds it."""
    from scratchlm.interop.hf.models import save  # noqa: PLC0415
    from scratchlm.model.transformer.transformer import (  # noqa: PLC0415
        Transformer,
    )
    from scratchlm.scaling.meshes.mesh_checkpoint import (  # noqa: PLC0415
        load_whole,
    )
    from scratchlm.training.pretraining.loop import (  # noqa: PLC0415
        CHECKPOINTS,
    )

    model = Transformer(recipe.run.model)
    load_whole(folder / CHECKPOINTS, model)
    say(f"launch: writing {folder / 'model'}")
    save(model, recipe.tokenizer(), folder / "model")


def fitted(mesh: "Mesh", world: int) -> "Mesh":
    """Return a mesh for the ranks that there are.

    With fewer nodes than were asked for, and after one has failed, there are
    fewer ranks: then fewer of them share the rows.

    Args:
        mesh: that was asked for.
        world: W, the ranks that there are.

    Raises:
        ValueError: the other axes need more ranks, or another multiple.
    """
    rest = mesh.world // mesh.dp
    if world % rest or (world // rest) % mesh.ep:
        raise ValueError(
            f"{world} ranks are there for the mesh {mesh}, whose axes but dp "
            f"take {rest * mesh.ep} at a time; start a multiple of "
            f"{rest * mesh.ep}"
        )
    return replace(mesh, dp=world // rest)


if __name__ == "__main__":
    sys.exit(main())
