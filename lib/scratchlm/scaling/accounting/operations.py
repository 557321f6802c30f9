"""What a step computes, and what it moves through memory meanwhile."""

from typing import NamedTuple

from scratchlm.scaling.accounting.job import Job
from scratchlm.scaling.accounting.memory import stage_weights
from scratchlm.scaling.accounting.model_shape import ModelShape

BACKWARD = 2  # a product has two gradients, each a product as large
# Bytes that one parameter's update reads and writes: the gradient once, the
# moments and the copy of 32 bits twice, the weight once.
_UPDATE = 30
_CAST = 5


class Work(NamedTuple):
    """What one device does for one micro-batch, or in one step.

    Args:
        flops: of products.
        moved: bytes that norms, activations, residuals and scores read and
            write.
        read: bytes of weights that the products read, while they multiply.
    """

    flops: float
    moved: float
    read: float = 0.0

    def times(self, n: int | float) -> "Work":
        """Return so many times the work."""
        return Work(*(each * n for each in self))

    def plus(self, other: "Work") -> "Work":
        """Return both."""
        return Work(*(a + b for a, b in zip(self, other, strict=True)))


def model_flops(model: ModelShape, n_tokens: int) -> float:
    """Return the operations for one token of a training step.

    Of scores, those count that the mask lets through. Recomputation is no
    work of the model.

    Args:
        model: its sizes.
        n_tokens: T of its row.

    Source: Chowdhery et al. 2022, "PaLM", appendix B.
    """
    pairs = 2 * model.n_heads * model.d_head * (n_tokens + 1)
    layers = model.n_layers * (2 * model.multiplied + pairs)
    return (1.0 + BACKWARD) * (layers + 2 * model.table_weights)


def forward(job: Job) -> Work:
    """Return the forward pass of one layer, on one micro-batch.

    Args:
        job: the step.
    """
    model, tp, tokens = job.model, job.mesh.tp, job.micro_tokens
    flops = 2 * model.multiplied * tokens / tp
    read = job.precision.activations * model.multiplied / tp
    return Work(flops, _between(job), read).plus(scores(job))


def scores(job: Job) -> Work:
    """Return the part of it that is queries, keys and their softmax.

    A kernel that keeps scores to itself also skips those that the mask
    hides. Without it they are written and read by two products, by the
    softmax, and by dropout.

    Args:
        job: the step.
    """
    model, tp, tokens = job.model, job.mesh.tp, job.micro_tokens
    keys = job.n_tokens / 2 if job.fused_attention else job.n_tokens
    flops = 4 * model.n_heads * model.d_head * keys * tokens / tp
    moved = 0.0
    if not job.fused_attention:
        size = job.precision.activations
        each = 4 * size + job.dropout * (2 * size + 1)
        moved = each * model.n_heads * job.n_tokens * tokens / tp
    return Work(flops, moved)


def _between(job: Job) -> float:
    """Bytes of all that stands between two products."""
    model, tp, size = job.model, job.mesh.tp, job.precision.activations
    shared = tp if job.sequence_parallel else 1
    # What reads and writes once in a kernel of its own, with casts to 32
    # bits and back makes three passes, which move five times the bytes.
    once = 2 * size * (1 if job.fused else _CAST)
    # Two norms, and two residuals that read twice and write.
    wide = 2 * (once + 3 * size + job.dropout) * model.d_model
    # An activation reads and writes. A gate is read too, or multiplied in
    # by an operation of its own.
    gate = model.gated * (1 if job.fused else 3)
    inside = (2 + gate) * size * model.d_ff * model.top_k
    if not model.n_positions:  # rotary
        inside += once * (model.n_heads + model.n_kv_heads) * model.d_head
    return job.micro_tokens * (wide / shared + inside / tp)


def head(job: Job) -> Work:
    """Return the forward pass of the head and of the loss.

    Args:
        job: the step.
    """
    tokens, model = job.micro_tokens / job.mesh.tp, job.model
    return Work(
        2 * model.table_weights * tokens,
        job.logit_bytes * model.vocab_size * tokens,
        job.precision.activations * model.table_weights / job.mesh.tp,
    )


def again(job: Job) -> Work:
    """Return what the backward pass of one layer computes again.

    Args:
        job: the step.
    """
    if job.recompute == "full":
        return forward(job)
    if job.recompute == "attention":
        return scores(job)
    if job.recompute == "products":
        widths = job.model.product_widths
        part = sum(widths[1::2]) / sum(widths)
        flops = 2 * job.model.multiplied * job.micro_tokens / job.mesh.tp
        return Work(part * flops, _between(job))
    return Work(0.0, 0.0)


def stage_work(job: Job, n_layers: int, with_head: bool) -> Work:
    """Return one micro-batch of a stage, forward and backward.

    Args:
        job: the step.
        n_layers: that the stage holds.
        with_head: whether it holds the head too.
    """
    layer = forward(job).times(1 + BACKWARD).plus(again(job))
    work = layer.times(n_layers)
    if with_head:
        work = work.plus(head(job).times(1 + BACKWARD))
    return work


def update(job: Job) -> Work:
    """Return the optimizer's step of one device.

    Args:
        job: the step.
    """
    ranks = job.mesh.dp * job.mesh.cp if job.zero else 1
    return Work(0.0, _UPDATE * stage_weights(job) / ranks)
