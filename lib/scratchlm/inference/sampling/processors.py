"""What stands between a model's logits and the draw."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from scratchlm.inference.sampling.history import History

# A setting; callers write 1 for 1.0.
Number = float | int

# Returns new logits, minus infinity where a token is hidden; never writes
# into those that it is given.
Processor = Callable[[Float[Tensor, "B V"], History], Float[Tensor, "B V"]]


def process(
    processors: tuple[Processor, ...],
    logits: Float[Tensor, "B V"],
    history: History,
) -> Float[Tensor, "B V"]:
    """Return what processors make of logits, one after another.

    Args:
        processors: in the order in which they apply.
        logits: of the next token.
        history: what the rows have read and written.
    """
    for processor in processors:
        logits = processor(logits, history)
    return logits
