"""What goes on inside a model: read, changed, and scored by the truth."""

from scratchlm.evaluation.interpretability.attention_patterns import (
    attention_patterns,
    induction_scores,
    previous_token_scores,
    repeated_tokens,
)
from scratchlm.evaluation.interpretability.autoencoder import (
    TopKAutoencoder,
    dead_latents,
    rescaled,
    spliced_losses,
    train_autoencoder,
    unexplained,
)
from scratchlm.evaluation.interpretability.editing import (
    Request,
    edit,
    edited,
    rank_one_update,
    second_moment,
)
from scratchlm.evaluation.interpretability.feature_scores import (
    best_detectors,
    detected,
    f1_intervals,
    precision_recall_f1,
    random_directions,
)
from scratchlm.evaluation.interpretability.hooks import read, replace
from scratchlm.evaluation.interpretability.induction_birth import (
    Birth,
    largest_fall,
    observe_birth,
)
from scratchlm.evaluation.interpretability.lens import (
    TunedLens,
    agreement,
    logit_lens,
    streams,
    train_tuned_lens,
)
from scratchlm.evaluation.interpretability.patching import (
    attribution_effects,
    difference,
    patching_effects,
)
from scratchlm.evaluation.interpretability.probes import (
    LinearProbe,
    accuracy,
    control_labels,
    shuffled,
)
from scratchlm.evaluation.interpretability.world_variables import (
    Span,
    spans,
    token_variables,
)

__all__ = [
    "Birth",
    "LinearProbe",
    "Request",
    "Span",
    "TopKAutoencoder",
    "TunedLens",
    "accuracy",
    "agreement",
    "attention_patterns",
    "attribution_effects",
    "best_detectors",
    "control_labels",
    "dead_latents",
    "detected",
    "difference",
    "edit",
    "edited",
    "f1_intervals",
    "induction_scores",
    "largest_fall",
    "logit_lens",
    "observe_birth",
    "patching_effects",
    "precision_recall_f1",
    "previous_token_scores",
    "random_directions",
    "rank_one_update",
    "read",
    "repeated_tokens",
    "replace",
    "rescaled",
    "second_moment",
    "shuffled",
    "spans",
    "spliced_losses",
    "streams",
    "token_variables",
    "train_autoencoder",
    "train_tuned_lens",
    "unexplained",
]
