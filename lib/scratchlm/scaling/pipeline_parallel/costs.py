"""What a schedule costs by formula: bubbles, memory, messages."""

from scratchlm.scaling.pipeline_parallel.simulator import Durations


def bubble(world_size: int, n_micro: int, *, n_virtual: int = 1) -> float:
    """Return the idle over the working time of GPipe, 1F1B, interleaved.

    Args:
        world_size: p ranks.
        n_micro: m micro-batches.
        n_virtual: v stages of a rank.

    Source: Narayanan et al. 2021, "Efficient Large-Scale Language Model
    Training on GPU Clusters Using Megatron-LM", section 2.2.
    """
    return (world_size - 1) / (n_virtual * n_micro)


def zb_h1_bubble(
    world_size: int,
    n_micro: int,
    durations: Durations = Durations(),  # noqa: B008  (frozen)
) -> float:
    """Return the idle over the working time of ZB-H1.

    Holds where the gradients of weights take no longer than a forward, and
    no longer than the gradient of an input.

    Args:
        world_size: p ranks.
        n_micro: m micro-batches.
        durations: of a stage.

    Source: Qi et al. 2023, "Zero Bubble Pipeline Parallelism", table 2.
    """
    d = durations
    idle = (world_size - 1) * (
        d.forward + d.backward_input - d.backward_weight
    )
    # With fewer micro-batches than ranks there is less to fill the end with.
    idle += max(0, world_size - n_micro) * d.backward_weight
    work = d.forward + d.backward_input + d.backward_weight
    return idle / (n_micro * work)


def interleaved_in_flight(
    world_size: int, n_micro: int, rank: int, *, n_virtual: int
) -> int:
    """Return how many micro-batches the stages of a rank hold at most.

    Each is held by one of ``n_virtual`` stages, which has that part of the
    layers of a rank.

    Args:
        world_size: p ranks.
        n_micro: m micro-batches.
        rank: counted from 0.
        n_virtual: v stages of a rank.
    """
    ahead = 2 * (world_size - rank - 1) + (n_virtual - 1) * world_size
    return min(ahead + 1, n_virtual * n_micro)


def message_bytes(n_rows: int, n_tokens: int, d_model: int, width: int) -> int:
    """Return the bytes that a stage sends to the next for a micro-batch.

    The gradient that comes back has as many.

    Args:
        n_rows: B, rows of the micro-batch.
        n_tokens: T, positions of a row.
        d_model: D, width of the residual stream.
        width: bytes of a number.
    """
    return n_rows * n_tokens * d_model * width
