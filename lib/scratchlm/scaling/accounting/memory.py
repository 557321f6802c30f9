"""Where the bytes of a device go."""

from dataclasses import dataclass
from typing import NamedTuple

from scratchlm.scaling.accounting.job import Job, Precision

# Of what the allocator holds, the part that lies between tensors. Guessed;
# PyTorch's counters of what is allocated and what is reserved differ by it.
FRAGMENTATION = 0.05


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of the fullest device at its fullest moment.

    Args:
        weights: parameters that stay.
        gradients: of these.
        optimizer: its moments, and copies of more bits.
        activations: kept from forward to backward.
        logits: and what the loss makes of them.
        working: weights that were gathered, and a layer that is computed
            again.
        fragmentation: lost between tensors.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    working: float
    fragmentation: float

    @property
    def states(self) -> float:
        """Bytes that the step does not free."""
        return self.weights + self.gradients + self.optimizer

    @property
    def total(self) -> float:
        """All of them."""
        return sum(vars(self).values())


class States(NamedTuple):
    """Bytes of what belongs to parameters.

    Args:
        weights: the parameters.
        gradients: of these.
        optimizer: moments, and copies of more bits.
    """

    weights: float
    gradients: float
    optimizer: float


def state_bytes(
    n_weights: int | float, n_ranks: int, zero: int, precision: Precision
) -> States:
    """Return what one of several data parallel processes holds.

    Args:
        n_weights: parameters that they have in common.
        n_ranks: how many they are.
        zero: what they share: 0 nothing, 1 the optimizer's state, 2
            gradients as well, 3 weights as well.
        precision: bytes of each.

    Source: Rajbhandari et al. 2020, "ZeRO", section 5.
    """
    share = [n_ranks if zero >= stage else 1 for stage in (3, 2, 1)]
    return States(
        n_weights * precision.weights / share[0],
        n_weights * precision.gradients / share[1],
        n_weights * precision.optimizer / share[2],
    )


def layer_activations(job: Job, recompute: str | None = None) -> float:
    """Return the bytes that one layer keeps of one micro-batch.

    For a model like GPT-3 with dropout, in 16 bits and without any
    parallelism, these are b·T·D·(34 + 5·N·T/D).

    Args:
        job: the step.
        recompute: instead of the job's own.

    Source: Korthikanti et al. 2022, "Reducing Activation Recomputation in
    Large Transformer Models", table 2.
    """
    model, tp, kind = job.model, job.mesh.tp, recompute or job.recompute
    size = job.precision.activations
    shared = tp if job.sequence_parallel else 1
    entry = size * model.d_model / shared
    if kind == "full":
        return job.micro_tokens * entry
    queries = model.n_heads * model.d_head
    if kind == "products":
        kept = sum(model.product_widths[0::2]) + queries
        return job.micro_tokens * (entry + size * kept / tp)
    # Inputs of two norms and of what follows each, and masks of dropout.
    whole = 4 * entry + 2 * job.dropout * model.d_model / shared
    split = size * (2 * queries + 2 * model.n_kv_heads * model.d_head)
    # What the activation reads and what it gives; a gate adds what it is
    # multiplied with and, without a fused kernel, one result between.
    inner = 2 + model.gated * (1 if job.fused else 2)
    split += size * inner * model.d_ff * model.top_k
    if not job.fused_attention and kind != "attention":
        # The softmax; with dropout its mask and its result too.
        scores = model.n_heads * job.n_tokens
        split += scores * (size + job.dropout * (1 + size))
    return job.micro_tokens * (whole + split / tp)


def stage_weights(job: Job, last: bool = False) -> float:
    """Return the parameters of a device before data parallel shares them.

    Args:
        job: the step.
        last: of the last stage, with the head; else the first.
    """
    model, mesh = job.model, job.mesh
    tables = model.table_weights
    if mesh.pp == 1:
        tables *= 2 - model.tied
    if not last:
        tables += model.n_positions * model.d_model
    all_layers = job.stage_layers * model.layer_weights + tables
    return all_layers / mesh.tp - (mesh.ep - 1) * _experts(job)


def _experts(job: Job) -> float:
    """Weights of the experts of a device."""
    model, mesh = job.model, job.mesh
    each = job.stage_layers * model.expert_weights / mesh.tp
    return model.n_experts * each / mesh.ep


def memory(job: Job) -> Memory:
    """Return the bytes of the fullest device.

    The first stage holds the activations of most micro-batches, the last
    one logits.

    Args:
        job: the step.
    """
    stages = (False,) if job.mesh.pp == 1 else (False, True)
    return max((_stage(job, last) for last in stages), key=lambda m: m.total)


def _stage(job: Job, last: bool) -> Memory:
    mesh, n_weights = job.mesh, stage_weights(job, last)
    held = _states(job, n_weights)
    flight = 1.0 if last else job.in_flight
    layer = layer_activations(job)
    logits = 0.0
    if last or mesh.pp == 1:
        entries = job.micro_tokens * job.model.vocab_size / mesh.tp
        logits = job.logit_bytes * entries
    again = 0.0
    if job.recompute in ("full", "products"):
        again = layer_activations(job, "attention") - layer
    parts = {
        **held._asdict(),
        "activations": flight * job.stage_layers * layer,
        "logits": logits,
        # The last layer is computed again when the logits are gone.
        "working": _gathered(job, n_weights) + max(0.0, again - logits),
    }
    lost = FRAGMENTATION * sum(parts.values())
    return Memory(**parts, fragmentation=lost)


def _states(job: Job, n_weights: float) -> States:
    mesh, experts = job.mesh, _experts(job)
    how, ranks = (job.zero, job.precision), mesh.dp * mesh.cp
    # Experts that are spread have fewer copies to share their states with.
    held = States(
        *map(
            sum,
            zip(
                state_bytes(n_weights - experts, ranks, *how),
                state_bytes(experts, ranks // mesh.ep, *how),
                strict=True,
            ),
        )
    )
    if mesh.pp > 1:  # summed over micro-batches before they are shared
        held = held._replace(gradients=n_weights * job.precision.gradients)
    return held


def _gathered(job: Job, n_weights: float) -> float:
    """Whole weights of ZeRO's stage 3: two layers, and the tables."""
    if job.zero < 3:
        return 0.0
    if job.mesh.pp > 1:  # kept until the last micro-batch
        return n_weights * job.precision.gathered
    model = job.model
    tables = (2 - model.tied) * model.table_weights
    numbers = 2 * model.layer_weights + tables
    return numbers * job.precision.gathered / job.mesh.tp
