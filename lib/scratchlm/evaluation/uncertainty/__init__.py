"""Standard errors, tests, sample sizes, and test items that leaked."""

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
    "Interval",
    "PairedDifference",
    "mean_interval",
    "paired_difference",
    "proportion_interval",
    "ratio_interval",
    "sign_test",
]
