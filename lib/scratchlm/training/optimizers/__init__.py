"""From a gradient to a step: the rules, their rates and their bounds."""

from scratchlm.training.optimizers.adam import Adam, AdamW, adam_step
from scratchlm.training.optimizers.clipping import (
    clip_gradients,
    gradient_norm,
)
from scratchlm.training.optimizers.groups import (
    Kinds,
    Several,
    adamw,
    kinds_of,
    muon_and_adamw,
    owner_of,
)
from scratchlm.training.optimizers.muon import (
    CONVERGENT,
    JORDAN,
    POLAR_EXPRESS,
    Coefficients,
    Muon,
    adamw_scale,
    orthogonalize,
    spectral_scale,
)
from scratchlm.training.optimizers.noise import NoiseScale, noise_scale
from scratchlm.training.optimizers.per_parameter import (
    Parameters,
    PerParameter,
)
from scratchlm.training.optimizers.schedules import (
    Constant,
    Cosine,
    WarmupStableDecay,
)
from scratchlm.training.optimizers.sgd import SGD

__all__ = [
    "CONVERGENT",
    "JORDAN",
    "POLAR_EXPRESS",
    "SGD",
    "Adam",
    "AdamW",
    "Coefficients",
    "Constant",
    "Cosine",
    "Kinds",
    "Muon",
    "NoiseScale",
    "Parameters",
    "PerParameter",
    "Several",
    "WarmupStableDecay",
    "adam_step",
    "adamw",
    "adamw_scale",
    "clip_gradients",
    "gradient_norm",
    "kinds_of",
    "muon_and_adamw",
    "noise_scale",
    "orthogonalize",
    "owner_of",
    "spectral_scale",
]
