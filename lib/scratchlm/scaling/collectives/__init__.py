"""What ranks say to each other, what it costs, and the ranks themselves."""

from scratchlm.scaling.collectives.collectives import (
    Wire,
    all_to_all,
    ring_all_gather,
    ring_all_reduce,
    ring_reduce_scatter,
    split_for,
    tree_all_reduce,
    tree_broadcast,
    tree_reduce,
)
from scratchlm.scaling.collectives.cost import Link, fit_link
from scratchlm.scaling.collectives.kernels.segmented_ring import (
    segmented_all_reduce,
)
from scratchlm.scaling.collectives.local import (
    RankError,
    Ranks,
    RankTimeout,
    run,
)

__all__ = [
    "Link",
    "RankError",
    "RankTimeout",
    "Ranks",
    "Wire",
    "all_to_all",
    "fit_link",
    "ring_all_gather",
    "ring_all_reduce",
    "ring_reduce_scatter",
    "run",
    "segmented_all_reduce",
    "split_for",
    "tree_all_reduce",
    "tree_broadcast",
    "tree_reduce",
]
