"""What parallelism sends, and how long that takes."""

from dataclasses import dataclass

from scratchlm.scaling.accounting.hardware import Cluster
from scratchlm.scaling.accounting.job import Job
from scratchlm.scaling.accounting.memory import stage_weights


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes that one device sends in a step, or seconds, by reason.

    Args:
        dp: gradients, and gathered weights.
        tp: partial sums of activations.
        pp: activations between stages.
        cp: keys and values of other positions.
        ep: tokens to their experts and back.
    """

    dp: float = 0.0
    tp: float = 0.0
    pp: float = 0.0
    cp: float = 0.0
    ep: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return sum(vars(self).values())


def sent(job: Job) -> Traffic:
    """Return the bytes that one device sends in a step.

    In a ring of n, an all-gather or a reduce-scatter sends (n-1)/n of the
    whole; an all-reduce is both.

    Args:
        job: the step.
    """
    model, mesh, m = job.model, job.mesh, job.n_micro
    layers, size = job.stage_layers, job.precision.activations
    stream = size * job.micro_tokens * model.d_model
    # Two sums forward and two backward; recomputed layers sum again.
    sums = 4 + 2 * (job.recompute == "full")
    hidden = size * job.micro_tokens * 2 * model.n_kv_heads * model.d_head
    routed = 2 * 2 * model.top_k * stream / mesh.tp
    return Traffic(
        dp=_states(job),
        tp=m * layers * sums * 2 * _part(mesh.tp) * stream,
        pp=m * 2 * job.n_chunks * (mesh.pp > 1) * stream / mesh.tp,
        # Forward keys and values go round; backward also their gradients.
        cp=m * layers * 3 * hidden * (mesh.cp - 1) / mesh.tp,
        ep=m * layers * routed * _part(mesh.ep),
    )


def _part(n: int) -> float:
    return (n - 1) / n


def _states(job: Job) -> float:
    mesh, precision = job.mesh, job.precision
    ranks, n_weights = mesh.dp * mesh.cp, stage_weights(job)
    if job.zero < 3:
        # ZeRO's first stages scatter gradients and gather new weights.
        back = precision.gathered if job.zero else precision.gradients
        return n_weights * (precision.gradients + back) * _part(ranks)
    rounds = 1 if mesh.pp > 1 else job.n_micro
    gathers = 1 if mesh.pp > 1 else 2
    each = gathers * precision.gathered + precision.gradients
    return rounds * n_weights * each * _part(ranks)


def transfer_seconds(traffic: Traffic, job: Job, cluster: Cluster) -> Traffic:
    """Return how long each kind takes, if nothing else happened meanwhile.

    Args:
        traffic: bytes that one device sends.
        job: the step.
        cluster: its links.
    """
    mesh = job.mesh
    inner = mesh.tp * mesh.cp
    stage = inner * mesh.dp
    return Traffic(
        dp=traffic.dp / cluster.rate(mesh.dp * mesh.cp, mesh.tp),
        tp=traffic.tp / cluster.rate(mesh.tp, 1),
        pp=traffic.pp / cluster.rate(mesh.pp, stage),
        cp=traffic.cp / cluster.rate(mesh.cp, mesh.tp),
        ep=traffic.ep / cluster.rate(mesh.ep, inner),
    )
