"""All meshes that fill a cluster, the fastest first."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import log

from scratchlm.scaling.accounting.hardware import Cluster
from scratchlm.scaling.accounting.job import Job, Mesh, Uneven
from scratchlm.scaling.accounting.model_shape import ModelShape
from scratchlm.scaling.accounting.planner import Plan, plan

MEMORY = "memory"
# Positions of a row that a device keeps at least. Published runs have no
# smaller products, so that nothing is known of a planner below.
LEAST = 2048
_RECOMPUTE = ("none", "products", "full")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search came to.

    Args:
        plans: that fit, the fastest first. Those within a hundredth of each
            other count as equally fast, for the planner is no better: of
            them the mesh with fewer axes comes first, then the lower ZeRO
            stage, then less memory.
        refused: how many others there were, by reason: ``"memory"``, or
            what does not divide.
        smallest: the plan that needs least memory, whether it fits or not.
    """

    plans: tuple[Plan, ...]
    refused: Counter[str]
    smallest: Plan | None

    def by_mesh(self) -> tuple[Plan, ...]:
        """Return the best plan of each mesh, the fastest first."""
        first: dict[Mesh, Plan] = {}
        for each in self.plans:
            first.setdefault(each.job.mesh, each)
        return tuple(first.values())

    def best(self) -> Plan:
        """Return the fastest plan.

        Raises:
            ValueError: none fits.
        """
        if self.plans:
            return self.plans[0]
        reasons = ", ".join(f"{n} by {r}" for r, n in self.refused.items())
        advice = "give n_rows and n_chips with more divisors in common"
        if self.smallest is not None:
            chip = self.smallest.cluster.chip
            advice = (
                f"the smallest needs {self.smallest.memory.total / 1e9:.0f} "
                f"GB of the {chip.memory / 1e9:.0f} GB of a {chip.name}; "
                "take more chips, shorter rows or a smaller model"
            )
        raise ValueError(f"no mesh fits (refused: {reasons}): {advice}")


def plans(base: Job, cluster: Cluster) -> Found:
    """Search all meshes and the pieces that a step can be cut into.

    Args:
        base: the step. Its model, rows, tokens and precision stay; mesh,
            micro-batch, ZeRO stage, recomputation and chunks are searched.
        cluster: where it runs.
    """
    fitting: list[Plan] = []
    refused: Counter[str] = Counter()
    smallest: Plan | None = None
    for mesh in meshes(base.model, cluster, base.n_tokens):
        for job in _pieces(replace(base, mesh=mesh)):
            try:
                found = plan(job, cluster)
            except Uneven as fault:
                refused[fault.reason] += 1
                continue
            size = found.memory.total
            if smallest is None or size < smallest.memory.total:
                smallest = found
            if found.fits:
                fitting.append(found)
            else:
                refused[MEMORY] += 1
    fitting.sort(key=_order)
    return Found(plans=tuple(fitting), refused=refused, smallest=smallest)


def _order(plan: Plan) -> tuple[int, int, int, float]:
    mesh, hundredths = plan.job.mesh, round(100 * log(plan.seconds))
    n_axes = sum(size > 1 for size in vars(mesh).values())
    return hundredths, n_axes, plan.job.zero, plan.memory.total


def meshes(
    model: ModelShape, cluster: Cluster, n_tokens: int
) -> Iterator[Mesh]:
    """Yield the meshes that fill a cluster.

    Tensor parallelism stays within a node, since it waits for each of its
    sums; context parallelism leaves 2,048 positions to each process; experts
    are spread only where there are some.

    Args:
        model: its sizes.
        cluster: to fill.
        n_tokens: T of a row.
    """
    n = cluster.n_chips
    for tp in _divisors(min(n, cluster.per_node)):
        for pp, cp in product(_divisors(n), _powers(n_tokens // LEAST)):
            if pp > model.n_layers or n % (tp * pp * cp):
                continue
            dp = n // (tp * pp * cp)
            for ep in _divisors(dp):
                if ep == 1 or ep <= model.n_experts:
                    yield Mesh(dp=dp, tp=tp, pp=pp, cp=cp, ep=ep)


def _pieces(job: Job) -> Iterator[Job]:
    most = max(1, job.n_rows // job.mesh.dp)
    stages = (0,) if job.mesh.dp * job.mesh.cp == 1 else range(4)
    chunks = (1, 2, 4) if job.mesh.pp > 1 else (1,)
    for micro_rows, zero, recompute, n_chunks in product(
        _powers(most), stages, _RECOMPUTE, chunks
    ):
        yield replace(
            job,
            micro_rows=micro_rows,
            zero=zero,
            recompute=recompute,
            n_chunks=n_chunks,
        )


def _divisors(n: int) -> list[int]:
    return [size for size in range(1, n + 1) if n % size == 0]


def _powers(n: int) -> list[int]:
    """1, 2, 4 … up to n, and at most 32; 1 in any case."""
    return [2**i for i in range(6) if i == 0 or 2**i <= n]
