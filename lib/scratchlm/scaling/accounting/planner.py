"""How long a step takes, and on which mesh it takes least."""

from dataclasses import dataclass

from scratchlm.scaling.accounting.hardware import Cluster
from scratchlm.scaling.accounting.job import Job, check
from scratchlm.scaling.accounting.memory import Memory, memory
from scratchlm.scaling.accounting.operations import (
    BACKWARD,
    Work,
    model_flops,
    scores,
    stage_work,
    update,
)
from scratchlm.scaling.accounting.traffic import (
    Traffic,
    sent,
    transfer_seconds,
)

# Parts of a memory's bandwidth and of a link that a kernel reaches. Guessed.
STREAM_RATE = 0.85
LINK_RATE = 0.8


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A step, and what it costs.

    Args:
        job: the step.
        cluster: where it runs.
        memory: bytes of the fullest device.
        traffic: bytes that one device sends in a step.
        compute: seconds of all products and of what stands between them.
        exposed: seconds of traffic during which nothing is computed.
        bubble: seconds in which a stage waits for its first and last
            micro-batches.
        update: seconds of the optimizer.
    """

    job: Job
    cluster: Cluster
    memory: Memory
    traffic: Traffic
    compute: float
    exposed: Traffic
    bubble: float
    update: float

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return self.compute + self.exposed.total + self.bubble + self.update

    @property
    def tokens_per_second(self) -> float:
        """Of one device."""
        tokens = self.job.n_rows * self.job.n_tokens
        return tokens / self.seconds / self.cluster.n_chips

    @property
    def utilization(self) -> float:
        """Model FLOPs utilization (MFU), a part of the peak."""
        flops = model_flops(self.job.model, self.job.n_tokens)
        peak = self.cluster.chip.peak(self.job.precision.dtype)
        return self.tokens_per_second * flops / peak

    @property
    def fits(self) -> bool:
        """Whether the memory of a device holds it."""
        return self.memory.total <= self.cluster.chip.memory


def plan(job: Job, cluster: Cluster) -> Plan:
    """Return what a step costs.

    Args:
        job: the step.
        cluster: where it runs.

    Raises:
        ValueError: the job does not come out even on this cluster.
    """
    check(job, cluster.n_chips)
    micro = max(
        _seconds(stage_work(job, *stage), job, cluster)
        for stage in _stages(job)
    )
    traffic = sent(job)
    alone = transfer_seconds(traffic, job, cluster)
    m, pp = job.n_micro, job.mesh.pp
    exposed = _exposed(alone, job, cluster, micro)
    # Whatever a micro-batch waits for, its stage waits for in the bubble.
    each = micro + (exposed.tp + exposed.pp + exposed.cp + exposed.ep) / m
    return Plan(
        job=job,
        cluster=cluster,
        memory=memory(job),
        traffic=traffic,
        compute=m * micro,
        exposed=exposed,
        bubble=each * (pp - 1) / job.n_chunks,
        update=_seconds(update(job), job, cluster),
    )


def _stages(job: Job) -> list[tuple[int, bool]]:
    n, pp = job.model.n_layers, job.mesh.pp
    if pp == 1:
        return [(n, True)]
    full = job.stage_layers
    # Where the layers do not divide, the outer stages hold one layer less.
    less = full - (n % pp > 0)
    return [(full, False), (less, True)]


def _seconds(work: Work, job: Job, cluster: Cluster) -> float:
    chip = cluster.chip
    # Of a micro-batch with a square matrix, which stands for all products.
    product = 2 * job.micro_tokens * job.model.d_model**2 / job.mesh.tp
    reached = chip.reached(job.precision.dtype, product)
    bandwidth = chip.bandwidth * STREAM_RATE
    return max(work.flops / reached, work.read / bandwidth) + (
        work.moved / bandwidth
    )


def _exposed(
    alone: Traffic, job: Job, cluster: Cluster, micro: float
) -> Traffic:
    """Take off what hides behind computation.

    Gradients hide behind the last micro-batch's backward pass, gathered
    weights behind all passes, keys and values behind the attention to those
    that came before. Partial sums are needed at once.
    """
    needed = {name: s / LINK_RATE for name, s in vars(alone).items()}
    layers, m = job.stage_layers, job.n_micro
    if job.overlap:
        passes = m if job.zero == 3 and job.mesh.pp == 1 else 1
        hidden = passes * micro * (1.0 if job.zero else 2 / 3)
        needed["dp"] = max(0.0, needed["dp"] - hidden)
    if job.overlap_tp:
        needed["tp"] = max(0.0, needed["tp"] - m * micro)
    attention = scores(job).times((1 + BACKWARD) * layers * m)
    hidden = _seconds(attention, job, cluster)
    needed["cp"] = max(0.0, needed["cp"] - hidden)
    return Traffic(**needed)
