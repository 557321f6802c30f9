"""Which rank does what, in a run that is launched."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratchlm.recipes.recipe import Recipe
    from scratchlm.scaling.accounting.job import Job, Mesh


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a command says of the mesh.

    Args:
        nodes: machines.
        ranks_per_node: processes of each.
        mesh: sizes of axes, such as ``"dp=2,tp=2"``; if None the planner
            chooses for the GPU, and without one all share the rows.
        gpu: a chip that the planner knows.
        zero: ZeRO stage of data parallel ranks.
        n_micro: parts of a step of each data parallel rank; if None as many
            rows at once as the recipe has.
    """

    nodes: int = 1
    ranks_per_node: int = 2
    mesh: str | None = None
    gpu: str | None = None
    zero: int = 0
    n_micro: int | None = None


def read_mesh(text: str) -> "Mesh":
    """Return the mesh that a text names.

    Args:
        text: sizes of axes, ``"dp=2,tp=2"``; others have size 1.

    Raises:
        ValueError: it is no list of axes and sizes.
    """
    from scratchlm.scaling.accounting.job import Mesh  # noqa: PLC0415

    sizes: dict[str, int] = {}
    for part in text.split(","):
        axis, _, size = (each.strip() for each in part.partition("="))
        if (
            axis not in Mesh.__dataclass_fields__
            or axis in sizes
            or not size.isdecimal()
        ):
            raise ValueError(
                f"mesh is {text!r}, of which {part!r} is no axis and size; "
                f"give each of {', '.join(Mesh.__dataclass_fields__)} at most "
                "once, such as dp=2,tp=2"
            )
        sizes[axis] = int(size)
    return Mesh(**sizes)


def choose_job(recipe: "Recipe", wanted: Wanted) -> "Job":
    """Return a step of a run on its mesh, which comes out even.

    Args:
        recipe: of the run.
        wanted: what is known of the mesh.

    Raises:
        ValueError: the mesh does not fit the ranks or the model, the rows do
            not come out even, or the optimizer cannot be cut.
    """
    from scratchlm.scaling.accounting.job import (  # noqa: PLC0415
        FULL,
        Job,
        Mesh,
        check,
    )
    from scratchlm.scaling.accounting.model_shape import (  # noqa: PLC0415
        shape_of,
    )

    world = wanted.nodes * wanted.ranks_per_node
    base = Job(
        model=shape_of(recipe.run.model, recipe.name),
        mesh=Mesh(dp=world),
        n_rows=recipe.batch_size,
        n_tokens=recipe.n_tokens,
        zero=wanted.zero,
        precision=FULL,
    )
    if wanted.mesh is None and wanted.gpu is not None:
        return _planned(base, recipe, wanted)
    mesh = base.mesh if wanted.mesh is None else read_mesh(wanted.mesh)
    micro_rows = _micro_rows(recipe, mesh, wanted.n_micro)
    job = replace(base, mesh=mesh, micro_rows=micro_rows)
    check(job, world)
    cut = job.zero > 0 or mesh.tp > 1
    if cut and (reason := _needs_whole_matrices(recipe)):
        raise ValueError(
            f"{recipe.name} cannot be cut by --zero or tp: {reason}; give a "
            "mesh of dp, pp and cp with --zero 0"
        )
    return job


def _micro_rows(recipe: "Recipe", mesh: "Mesh", n_micro: int | None) -> int:
    """Return the rows that a rank reads at once."""
    if n_micro is None:
        n_micro = max(mesh.pp, -(-recipe.run.n_micro // mesh.dp))
    parts = mesh.dp * n_micro
    if n_micro < 1 or recipe.batch_size % parts:
        raise ValueError(
            f"{recipe.name} has {recipe.batch_size} rows in a step, which "
            f"dp {mesh.dp} times n_micro {n_micro} does not divide; "
            "change --mesh or --n-micro, or the recipe's --batch-size"
        )
    return recipe.batch_size // parts


def _needs_whole_matrices(recipe: "Recipe") -> str:
    """Return why the optimizer cannot work on pieces; nothing if it can."""
    from scratchlm.interop.blank import blank  # noqa: PLC0415
    from scratchlm.scaling.sharded_data_parallel import (  # noqa: PLC0415
        sharded_data_parallel as sharded,
    )

    optimizer = recipe.run.optimizer(blank(recipe.run.model))
    try:
        sharded.require_elementwise(optimizer)
    except ValueError as error:
        return str(error).partition(";")[0]
    return ""


def _planned(base: "Job", recipe: "Recipe", wanted: Wanted) -> "Job":
    """Return the fastest job of the planner that the ranks can run."""
    from scratchlm.scaling.accounting.hardware import cluster  # noqa: PLC0415
    from scratchlm.scaling.accounting.search import plans  # noqa: PLC0415

    per_node, n_chips = wanted.ranks_per_node, base.mesh.world
    assert wanted.gpu is not None
    found = plans(base, cluster(wanted.gpu, n_chips, per_node))
    uncut = bool(_needs_whole_matrices(recipe))
    for plan in found.plans:
        job = plan.job
        cut = job.zero > 0 or job.mesh.tp > 1
        plain = job.recompute == "none" and job.n_chunks == 1
        if plain and not (uncut and cut):
            return job
    raise ValueError(
        f"{len(found.plans)} plans fit {n_chips} {wanted.gpu}, and each of "
        "them does what the ranks do not: computing activations again, stages "
        "of several pieces, or cutting what the optimizer needs whole; give a "
        "--mesh"
    )
