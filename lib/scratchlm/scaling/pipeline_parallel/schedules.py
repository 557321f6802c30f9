"""The schedules of the field, each as a pattern that repeats."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from scratchlm.scaling.pipeline_parallel.actions import Action, Kind, Schedule

F, B = Kind.FORWARD, Kind.BACKWARD
I, W = Kind.BACKWARD_INPUT, Kind.BACKWARD_WEIGHT  # noqa: E741  (of the field)

# A kind and a stage for each piece of work; micro-batches count themselves.
Pattern = Iterable[tuple[Kind, int]]


def gpipe(world_size: int, n_micro: int) -> Schedule:
    """Go forward with all micro-batches, then backward with all.

    Args:
        world_size: p ranks, each with one stage.
        n_micro: m micro-batches.

    Raises:
        ValueError: a number is below 1.

    Source: Huang et al. 2019, "GPipe", section 2.3.
    """

    def pattern(rank: int) -> Pattern:
        return [(F, rank)] * n_micro + [(B, rank)] * n_micro

    return _schedule("GPipe", world_size, n_micro, pattern)


def one_forward_one_backward(world_size: int, n_micro: int) -> Schedule:
    """Go backward with a micro-batch as early as it is possible: 1F1B.

    A rank holds at most ``world_size - rank`` micro-batches. With fewer of
    them than ranks it is as good as GPipe and no better.

    Args:
        world_size: p ranks, each with one stage.
        n_micro: m micro-batches.

    Raises:
        ValueError: a number is below 1.

    Source: Narayanan et al. 2021, "Efficient Large-Scale Language Model
    Training on GPU Clusters Using Megatron-LM", section 2.2.
    """

    def pattern(rank: int) -> Pattern:
        warm_up = [(F, rank)] * (world_size - rank - 1)
        return warm_up + [(F, rank), (B, rank)] * n_micro

    return _schedule("1F1B", world_size, n_micro, pattern)


def interleaved(
    world_size: int, n_micro: int, *, n_virtual: int = 2
) -> Schedule:
    """Give each rank several stages, and let each pass it in turn.

    Stage ``s`` is on rank ``s % world_size``. Micro-batches go in groups of
    ``world_size`` through one stage of a rank, then through its next.

    Args:
        world_size: p ranks.
        n_micro: m micro-batches, a multiple of ``world_size``.
        n_virtual: v stages of a rank, 2 or more.

    Raises:
        ValueError: a number is below 1, ``n_virtual`` is below 2, or the
            ranks do not divide the micro-batches.

    Source: Narayanan et al. 2021, "Efficient Large-Scale Language Model
    Training on GPU Clusters Using Megatron-LM", section 2.2.
    """
    _check("n_micro", n_micro)
    if n_virtual < 2:
        raise ValueError(
            f"n_virtual is {n_virtual}; give 2 or more stages to each rank, "
            f"or take one_forward_one_backward"
        )
    if n_micro % max(world_size, 1):
        up = n_micro - n_micro % world_size + world_size
        raise ValueError(
            f"n_micro is {n_micro}, and groups of {world_size} micro-batches "
            f"take turns on {world_size} ranks; give a multiple, such as {up}"
        )
    total = n_micro * n_virtual

    def pattern(rank: int) -> Pattern:
        def stage(turn: int) -> int:
            return turn // world_size % n_virtual * world_size + rank

        forward = [(F, stage(turn)) for turn in range(total)]
        last = (n_virtual - 1) * world_size + 2 * rank
        backward = [(B, last - s) for _, s in forward]
        ahead = 2 * (world_size - rank - 1) + (n_virtual - 1) * world_size
        return _alternating(forward, backward, min(ahead, total))

    return _schedule("interleaved 1F1B", world_size, n_micro, pattern)


def zb_h1(world_size: int, n_micro: int) -> Schedule:
    """Split the backward, and fill the end with gradients of weights.

    It is 1F1B, but only the gradients of inputs are computed at once. Rank
    ``r`` puts the gradients of its weights off by ``r`` micro-batches, so
    that it holds as many as rank 0 does.

    Args:
        world_size: p ranks, each with one stage.
        n_micro: m micro-batches.

    Raises:
        ValueError: a number is below 1.

    Source: Qi et al. 2023, "Zero Bubble Pipeline Parallelism", section 2.1.
    """

    def pattern(rank: int) -> Pattern:
        yield from [(F, rank)] * (world_size - rank - 1)
        for turn in range(n_micro):
            yield from [(F, rank), (I, rank)]
            if turn >= rank:
                yield W, rank
        yield from [(W, rank)] * rank

    return _schedule("ZB-H1", world_size, n_micro, pattern)


def zb_v(world_size: int, n_micro: int) -> Schedule:
    """Let each text pass the ranks down and up again, with split backwards.

    Rank ``r`` has the stages ``r`` and ``2 p - 1 - r``, so that rank 0 has
    the first and the last, and turns the loss into a backward at once.

    Args:
        world_size: p ranks, each with two stages.
        n_micro: m micro-batches; from ``2 p - 1`` on no rank waits but at
            the ends.

    Raises:
        ValueError: a number is below 1.

    Source: Qi et al. 2023, "Zero Bubble Pipeline Parallelism", section 6.
    """
    n = max(n_micro, 2 * world_size - 1)

    def pattern(rank: int) -> Pattern:
        down, up, left = rank, 2 * world_size - 1 - rank, world_size - rank
        yield from [(F, down)] * (2 * left - 1)
        yield from [(F, up), (F, down)] * rank
        yield from [(F, up), (I, up), (W, up)] * left
        turn = [(kind, stage) for stage in (down, up) for kind in (F, I, W)]
        yield from turn * (n - world_size)
        yield from [(I, down), (I, up)] * rank
        yield from [(I, down), (W, down)] * left
        yield from [(W, up)] * rank + [(W, down)] * rank

    return _schedule("ZB-V", world_size, n_micro, pattern)


def _alternating(
    forward: list[tuple[Kind, int]],
    backward: list[tuple[Kind, int]],
    ahead: int,
) -> Iterator[tuple[Kind, int]]:
    """Yield some forwards, then both in turn, then the backwards left."""
    yield from forward[:ahead]
    rest = forward[ahead:]
    for one, other in zip(rest, backward, strict=False):
        yield one
        yield other
    yield from backward[len(rest) :]


def _schedule(
    name: str,
    world_size: int,
    n_micro: int,
    pattern: Callable[[int], Pattern],
) -> Schedule:
    """Number the work of each rank.

    The first forward of a stage is that of micro-batch 0, the second that
    of micro-batch 1, and so on. What a pattern has beyond the last
    micro-batch is left out, which makes the ends of all schedules.
    """
    _check("world_size", world_size)
    _check("n_micro", n_micro)
    orders = []
    for rank in range(world_size):
        count: Counter[tuple[Kind, int]] = Counter()
        order = []
        for kind, stage in pattern(rank):
            micro_batch = count[kind, stage]
            count[kind, stage] += 1
            if micro_batch < n_micro:
                order.append(Action(kind, stage, micro_batch))
        orders.append(tuple(order))
    return Schedule(name=name, n_micro=n_micro, orders=tuple(orders))


def _check(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name} is {number}; give 1 or more")
