"""From small runs to large ones: laws, their fit, and what they advise."""

from scratchlm.training.scaling_laws.calculator import (
    Alternative,
    Lifetime,
    budget,
    lifetime_optimum,
    same_loss,
)
from scratchlm.training.scaling_laws.fitting import (
    Fit,
    bootstrap,
    fit_law,
    interval,
    nonnegative,
)
from scratchlm.training.scaling_laws.law import (
    CHINCHILLA,
    Allocation,
    ScalingLaw,
)
from scratchlm.training.scaling_laws.noise import (
    Difference,
    difference,
    seeds_needed,
)
from scratchlm.training.scaling_laws.parabolas import (
    PowerLaw,
    Trend,
    budgets_of,
    equal_flops,
    power_law,
    tokens_bias,
    trend,
    vertex,
)
from scratchlm.training.scaling_laws.runs import Runs, without_noise
from scratchlm.training.scaling_laws.transfer import (
    Multipliers,
    coordinate_check,
    multipliers,
    mup_adamw,
    mup_initialize,
    sorted_parameters,
)

__all__ = [
    "CHINCHILLA",
    "Allocation",
    "Alternative",
    "Difference",
    "Fit",
    "Lifetime",
    "Multipliers",
    "PowerLaw",
    "Runs",
    "ScalingLaw",
    "Trend",
    "bootstrap",
    "budget",
    "budgets_of",
    "coordinate_check",
    "difference",
    "equal_flops",
    "fit_law",
    "interval",
    "lifetime_optimum",
    "multipliers",
    "mup_adamw",
    "mup_initialize",
    "nonnegative",
    "power_law",
    "same_loss",
    "seeds_needed",
    "sorted_parameters",
    "tokens_bias",
    "trend",
    "vertex",
    "without_noise",
]
