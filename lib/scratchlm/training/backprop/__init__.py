"""From a loss to the gradient of every weight."""

from scratchlm.training.backprop.autograd import (
    Variable,
    no_grad,
    result,
)
from scratchlm.training.backprop.functions import (
    cross_entropy,
    exp,
    log,
    log_softmax,
    relu,
    tanh,
)
from scratchlm.training.backprop.gradient_check import (
    central_differences,
    check_gradients,
)
from scratchlm.training.backprop.graph import results_first
from scratchlm.training.backprop.language_models import (
    Bigram,
    MLPLanguageModel,
    context_windows,
    descend,
)
from scratchlm.training.backprop.scalar import Value

__all__ = [
    "Bigram",
    "MLPLanguageModel",
    "Value",
    "Variable",
    "central_differences",
    "check_gradients",
    "context_windows",
    "cross_entropy",
    "descend",
    "exp",
    "log",
    "log_softmax",
    "no_grad",
    "relu",
    "result",
    "results_first",
    "tanh",
]
