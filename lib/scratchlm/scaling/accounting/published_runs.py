"""All published runs, and how far the planner is from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from scratchlm.scaling.accounting.megatron_runs import (
    against_zero,
    on_hopper,
    recomputation,
    weak_scaling,
)
from scratchlm.scaling.accounting.published_run import Run
from scratchlm.scaling.accounting.sharded_runs import (
    llama3,
    mpt,
    picotron,
    torchtitan,
    torchtitan_large,
)


def published_runs() -> tuple[Run, ...]:
    """Return every run that is known here, in the order of the sources."""
    return (
        *weak_scaling(),
        *against_zero(),
        *recomputation(),
        *on_hopper(),
        *llama3(),
        *mpt(),
        *torchtitan(),
        *torchtitan_large(),
        picotron(),
    )


# Rajbhandari et al. 2020, "ZeRO", table 1: GB of weights, gradients and
# optimizer on each of so many ranks, for stages 1, 2 and 3, by the billions
# of parameters. Figure 1 is its row of 64 ranks.
ZERO_TABLE: Mapping[float, Mapping[int, tuple[float, float, float]]] = {
    7.5: {
        1: (120, 120, 120),
        4: (52.5, 41.3, 30),
        16: (35.6, 21.6, 7.5),
        64: (31.4, 16.6, 1.88),
        256: (30.4, 15.4, 0.47),
        1024: (30.1, 15.1, 0.12),
    },
    128: {
        1: (2048, 2048, 2048),
        4: (896, 704, 512),
        16: (608, 368, 128),
        64: (536, 284, 32),
        256: (518, 263, 8),
        1024: (513, 257, 2),
    },
    1000: {
        1: (16_000, 16_000, 16_000),
        4: (7000, 5500, 4000),
        16: (4750, 2875, 1000),
        64: (4187, 2218, 250),
        256: (4046, 2054, 62.5),
        1024: (4011, 2013, 15.6),
    },
}


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well the planner agrees with some runs.

    Args:
        n: runs.
        within: of them, those that are at most a tenth off.
        median: of the signed errors; positive where the planner says more.
    """

    n: int
    within: int
    median: float


def agreement(errors: Iterable[float]) -> Agreement:
    """Summarize errors.

    Args:
        errors: by which part the planner says too much.

    Raises:
        ValueError: there are none.
    """
    given = list(errors)
    if not given:
        raise ValueError("there is no error to summarize; give one or more")
    return Agreement(
        n=len(given),
        within=sum(abs(error) <= 0.1 for error in given),
        median=median(given),
    )
