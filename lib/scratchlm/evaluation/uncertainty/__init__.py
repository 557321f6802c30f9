"""Standard errors, tests, sample sizes, and test items that leaked."""

from scratchlm.evaluation.uncertainty.bootstrap import bootstrap_interval
from scratchlm.evaluation.uncertainty.contamination import (
    OrderTest,
    Overlap,
    order_test,
    overlap,
)
from scratchlm.evaluation.uncertainty.many import (
    benjamini_hochberg,
    expected_maximum,
    holm,
    winners_excess,
)
from scratchlm.evaluation.uncertainty.planning import (
    detectable_difference,
    error_of_repeats,
    items_needed,
    paired_deviation,
    power_of,
    unpaired_deviation,
)
from scratchlm.evaluation.uncertainty.seeds import Components, components
from scratchlm.evaluation.uncertainty.statistics import (
    Interval,
    PairedDifference,
    mean_interval,
    paired_difference,
    proportion_interval,
    ratio_interval,
    sign_test,
)

__all__ = [
    "Components",
    "Interval",
    "OrderTest",
    "Overlap",
    "PairedDifference",
    "benjamini_hochberg",
    "bootstrap_interval",
    "components",
    "detectable_difference",
    "error_of_repeats",
    "expected_maximum",
    "holm",
    "items_needed",
    "mean_interval",
    "order_test",
    "overlap",
    "paired_deviation",
    "paired_difference",
    "power_of",
    "proportion_interval",
    "ratio_interval",
    "sign_test",
    "unpaired_deviation",
    "winners_excess",
]
