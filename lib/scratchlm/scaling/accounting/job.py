"""A training step: which model, on which mesh, in which pieces."""

from dataclasses import dataclass, field
from types import MappingProxyType

from scratchlm.foundation.arguments import one_of
from scratchlm.scaling.accounting.model_shape import ModelShape

RECOMPUTE = ("none", "attention", "products", "full")


class Uneven(ValueError):
    """A job whose numbers do not divide each other.

    Args:
        reason: in a word, to count by.
        message: both numbers, and what to do.
    """

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """How the processes share the work. Their product is the world.

    Neighbours along ``tp`` have neighbouring ranks; then come ``cp``,
    ``dp`` and ``pp``, so that what talks most is closest.

    Args:
        dp: data parallel, each part reads other rows.
        tp: tensor parallel, each part holds some columns of each matrix.
        pp: pipeline parallel, each part holds some layers.
        cp: context parallel, each part reads some positions of each row.
        ep: expert parallel, each part holds some experts; a divisor of
            ``dp``, whose processes it borrows.

    Raises:
        ValueError: a size is below 1, or ``ep`` does not divide ``dp``.
    """

    dp: int = 1
    tp: int = 1
    pp: int = 1
    cp: int = 1
    ep: int = 1

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if size < 1:
                raise ValueError(f"{name} is {size}; use at least 1")
        if self.dp % self.ep:
            raise ValueError(
                f"ep is {self.ep}, which does not divide dp, {self.dp}; "
                "experts are spread over data parallel processes"
            )

    @property
    def world(self) -> int:
        """W, the number of processes."""
        return self.dp * self.tp * self.pp * self.cp

    def __str__(self) -> str:
        sizes = [f"{name} {n}" for name, n in vars(self).items() if n > 1]
        return " × ".join(sizes) or "one process"


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bytes for each parameter, and the type that is multiplied in.

    Args:
        dtype: of products.
        weights: bytes of a weight that is kept.
        gradients: bytes of its gradient.
        optimizer: bytes of its moments, and of its copy of more bits.
        gathered: bytes of a weight that another process sends when it is
            needed.
        activations: bytes of a number that flows through the model.
    """

    dtype: str = "bfloat16"
    weights: int = 2
    gradients: int = 2
    optimizer: int = 12
    gathered: int = 2
    activations: int = 2

    @property
    def state(self) -> int:
        """Bytes of all that belongs to a parameter."""
        return self.weights + self.gradients + self.optimizer


# Weights and gradients in 16 bits; two moments and a copy in 32.
MIXED = Precision()
# The same with gradients that are summed in 32 bits, as Megatron-LM does.
MIXED_SUMS = Precision(gradients=4)
# Weights in 32 bits, which are cast when they are gathered (FSDP2).
CAST = Precision(weights=4, gradients=4, optimizer=8)
# Everything in 32 bits.
FULL = Precision(
    dtype="float32",
    weights=4,
    gradients=4,
    optimizer=8,
    gathered=4,
    activations=4,
)
PRECISIONS = MappingProxyType(
    {"mixed": MIXED, "mixed-sums": MIXED_SUMS, "cast": CAST, "float32": FULL}
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One step of a run.

    Args:
        model: its sizes.
        mesh: of processes.
        n_rows: B of the whole step.
        n_tokens: T of a row.
        micro_rows: rows that one process reads at once.
        zero: ZeRO stage: what data parallel processes share instead of
            copying it. 0 nothing, 1 the optimizer's state, 2 gradients as
            well, 3 weights as well (FSDP).
        recompute: what the backward pass computes again: ``"none"``;
            ``"attention"``, its scores; ``"products"``, every second
            product; ``"full"``, whole layers.
        n_chunks: pieces of consecutive layers that a stage holds
            (interleaving).
        fused_attention: whether scores stay inside a kernel.
        fused: whether what stands between two products is one kernel, as a
            compiler makes it, and not one for each operation.
        sequence_parallel: whether ``tp`` also shares norms and residuals.
        dropout: whether the model drops activations.
        logit_bytes: bytes that the loss holds for each logit at its worst.
        overlap: whether traffic of weights and gradients hides behind
            computation.
        overlap_tp: whether partial sums hide behind the products that make
            them.
        precision: bytes of a parameter.
    """

    model: ModelShape
    mesh: Mesh
    n_rows: int
    n_tokens: int
    micro_rows: int = 1
    zero: int = 0
    recompute: str = "none"
    n_chunks: int = 1
    fused_attention: bool = True
    fused: bool = True
    sequence_parallel: bool = True
    dropout: bool = False
    logit_bytes: int = 12
    overlap: bool = True
    overlap_tp: bool = False
    precision: Precision = field(default=MIXED)

    @property
    def n_micro(self) -> int:
        """Micro-batches of a step, of each data parallel process."""
        return self.n_rows // (self.mesh.dp * self.micro_rows)

    @property
    def micro_tokens(self) -> float:
        """Tokens of a micro-batch that one process reads."""
        return self.micro_rows * self.n_tokens / self.mesh.cp

    @property
    def stage_layers(self) -> int:
        """Layers of the fullest stage."""
        return -(-self.model.n_layers // self.mesh.pp)

    @property
    def in_flight(self) -> float:
        """Micro-batches whose activations the first stage holds at once.

        Source: Korthikanti et al. 2022, section 4.2.3.
        """
        pp = self.mesh.pp
        if pp == 1:
            return 1.0
        extra = (pp - 1) / self.n_chunks if self.n_chunks > 1 else 0.0
        return min(float(self.n_micro), pp + extra)


def check(job: Job, n_chips: int) -> None:
    """Refuse a job that does not come out even.

    Args:
        job: the step.
        n_chips: W.

    Raises:
        Uneven: a number does not divide another; the message names both,
            and what to do.
        ValueError: a stage or a kind of recomputation does not exist.
    """
    one_of("recompute", job.recompute, RECOMPUTE)
    if job.zero not in range(4):
        raise ValueError(f"zero is {job.zero}; stages are 0, 1, 2 and 3")
    mesh = job.mesh
    if mesh.world != n_chips:
        raise Uneven(
            "world",
            f"the mesh {mesh} has {mesh.world} processes for {n_chips} "
            f"chips; {_filled(mesh, n_chips)}",
        )
    _check_model(job.model, mesh)
    _check_pieces(job)


def _filled(mesh: Mesh, n_chips: int) -> str:
    rest = mesh.world // mesh.dp
    if n_chips % rest:
        return f"choose tp, pp and cp whose product divides {n_chips}"
    return f"make dp {n_chips // rest}"


def _check_model(model: ModelShape, mesh: Mesh) -> None:
    for what, size in (
        ("query heads", model.n_heads),
        ("key and value heads", model.n_kv_heads),
        ("columns in its feed-forward layer", model.d_ff),
    ):
        if size % mesh.tp:
            raise Uneven(
                "heads",
                f"{model.name} has {size} {what}, which tp {mesh.tp} does "
                f"not divide; give tp a divisor of {size}",
            )
    if mesh.ep > 1 and (not model.n_experts or model.n_experts % mesh.ep):
        raise Uneven(
            "experts",
            f"{model.name} has {model.n_experts} experts, which ep "
            f"{mesh.ep} does not divide; give ep a divisor, or 1",
        )


def _check_pieces(job: Job) -> None:
    mesh, n_layers = job.mesh, job.model.n_layers
    pieces = mesh.pp * job.n_chunks
    # The embedding and the head may stand for a layer each.
    if n_layers % pieces and (n_layers + 2) % pieces:
        raise Uneven(
            "layers",
            f"{job.model.name} has {n_layers} layers, which pp {mesh.pp} "
            f"times {job.n_chunks} chunks does not divide, nor "
            f"{n_layers + 2} with embedding and head; give pp a divisor",
        )
    per_micro = mesh.dp * job.micro_rows
    if job.n_rows < 1 or job.n_rows % per_micro:
        raise Uneven(
            "rows",
            f"n_rows is {job.n_rows}, which dp {mesh.dp} times micro_rows "
            f"{job.micro_rows} does not divide; take a multiple of "
            f"{per_micro}",
        )
    if job.n_micro < mesh.pp:
        raise Uneven(
            "stages",
            f"{job.n_micro} micro-batches for {mesh.pp} stages would leave "
            f"stages without work; raise n_rows to {per_micro * mesh.pp} or "
            "lower micro_rows, dp or pp",
        )
    if job.n_tokens % mesh.cp or (job.n_tokens // mesh.cp) % mesh.tp:
        raise Uneven(
            "positions",
            f"n_tokens is {job.n_tokens}, which cp {mesh.cp} times tp "
            f"{mesh.tp} does not divide; pad rows to a multiple of "
            f"{mesh.cp * mesh.tp}",
        )
