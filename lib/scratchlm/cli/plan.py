"""``plan``: which mesh trains a model fastest on a cluster."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scratchlm.foundation.arguments import one_of
from scratchlm.foundation.extras import import_failure

if TYPE_CHECKING:
    from scratchlm.scaling.accounting.planner import Plan as Planned
    from scratchlm.scaling.accounting.search import Found

_HEADER = (
    f"{'mesh':26} {'ZeRO':>4} {'recompute':9} {'rows':>4} {'chunks':>6} "
    f"{'seconds':>8} {'GB':>4} {'MFU':>5} {'bubble':>6} {'wait':>5}"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Plan a training step: memory, time and traffic on each mesh.

    Searches all meshes that fill the cluster, ZeRO stages, micro-batches and
    kinds of recomputation, and prints the fastest. Nothing is trained.

    Example: python -m scratchlm plan --model llama3-8b --gpus 64 --gpu h100
    """

    model: str = "llama3-8b"
    """family and size, such as llama3-70b, gpt3-175b or mixtral-8x7b"""
    gpus: int = 8
    """how many; above 8 in full nodes"""
    gpu: str = "h100"
    """v100, a100, h100, h100-500w or h200"""
    per_node: int = 8
    """how many share the fast links"""
    rows: int | None = None
    """of a step; 4 for each GPU if not given"""
    tokens: int = 8192
    """of a row"""
    precision: str = "mixed"
    """mixed, 2 + 2 + 12 bytes a parameter; mixed-sums, gradients of 4 bytes;
    cast, weights of 4 bytes that are cast; float32"""
    top: int = 8
    """how many meshes to print"""

    def run(self) -> None:
        """Do it."""
        try:
            from scratchlm.scaling.accounting.search import (  # noqa: PLC0415
                plans,
            )
        except ImportError as error:
            need = "plan needs PyTorch, in which the models are written"
            raise ValueError(import_failure(need, "torch", error)) from error
        from scratchlm.scaling.accounting import (  # noqa: PLC0415
            hardware,
            job,
            model_shape,
        )

        one_of("precision", self.precision, tuple(job.PRECISIONS))
        if self.top < 1 or self.tokens < 1:
            raise ValueError(
                f"top is {self.top} and tokens {self.tokens}; give 1 or more"
            )
        where = hardware.cluster(self.gpu, self.gpus, self.per_node)
        base = job.Job(
            model=model_shape.named(self.model),
            mesh=job.Mesh(dp=self.gpus),
            n_rows=4 * self.gpus if self.rows is None else self.rows,
            n_tokens=self.tokens,
            precision=job.PRECISIONS[self.precision],
        )
        found = plans(base, where)
        _print(found, self.top)


def _print(found: "Found", top: int) -> None:
    best = found.best()
    job, chip = best.job, best.cluster.chip
    print(
        f"{job.model.name}, {job.model.n_weights / 1e9:.1f} billion "
        f"parameters, {job.n_rows} rows of {job.n_tokens} tokens a step on "
        f"{best.cluster.n_chips} {chip.name}"
    )
    refused = ", ".join(f"{n} by {r}" for r, n in found.refused.most_common())
    print(f"{len(found.plans)} plans fit; refused: {refused or 'none'}")
    print(_HEADER)
    for each in found.by_mesh()[:top]:
        print(_row(each))
    print(f"the first, {job.mesh}:")
    for line in _details(best):
        print(f"  {line}")


def _row(plan: "Planned") -> str:
    job, all_of_it = plan.job, plan.seconds
    return (
        f"{job.mesh!s:26} {job.zero:4} {job.recompute:9} "
        f"{job.micro_rows:4} {job.n_chunks:6} {all_of_it:8.2f} "
        f"{plan.memory.total / 1e9:4.0f} {plan.utilization:5.0%} "
        f"{plan.bubble / all_of_it:6.0%} "
        f"{plan.exposed.total / all_of_it:5.0%}"
    )


def _details(plan: "Planned") -> list[str]:
    parts = {
        "computing": plan.compute,
        **{f"waiting for {k}": s for k, s in vars(plan.exposed).items()},
        "bubble": plan.bubble,
        "optimizer": plan.update,
    }
    times = [f"{k} {s:.2f} s" for k, s in parts.items() if s > 0]
    held = [f"{k} {b / 1e9:.1f}" for k, b in vars(plan.memory).items()]
    sent = {k: b / 1e9 for k, b in vars(plan.traffic).items() if b}
    told = [f"{k} {gigabytes:.1f}" for k, gigabytes in sent.items()]
    return [
        f"time: {', '.join(times)}",
        f"GB of a device: {', '.join(held)}",
        f"GB that a device sends in a step: {', '.join(told) or 'none'}",
        f"{plan.tokens_per_second:.0f} tokens a second and device",
    ]
