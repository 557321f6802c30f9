"""What a sum of nats says to people."""

from math import ceil, exp, log

from scratchlm.training.objective.loss import Loss


def perplexity(loss: Loss) -> float:
    """Return the number of equally likely tokens that surprise as much.

    Only models with one tokenizer can be compared by it.

    Args:
        loss: surprise alone, without terms that a run adds for its own sake.

    Raises:
        ValueError: no token counts.
    """
    return exp(loss.mean().item())


def bits_per_byte(nats: float, n_bytes: int) -> float:
    """Return the bits that a byte of text costs.

    Any two models of one text can be compared by it.

    Args:
        nats: of all tokens of the text, summed, ends of documents too.
        n_bytes: bytes of the text, without what separates documents.

    Raises:
        ValueError: ``n_bytes`` is below 1.
    """
    if n_bytes < 1:
        raise ValueError(f"n_bytes is {n_bytes}; give the text's bytes")
    return nats / log(2) / n_bytes


def code_bits(nats: float) -> int:
    """Return the bits in which an ideal code writes a text.

    An arithmetic coder that is given the model's probabilities needs at
    most two more.

    Args:
        nats: of all tokens of the text, summed.

    Raises:
        ValueError: ``nats`` is below 0.

    Source: Cover and Thomas 2006, "Elements of Information Theory", section
    13.3.
    """
    if not nats >= 0:
        raise ValueError(f"nats is {nats}; a sum of -log p is 0 or more")
    return ceil(nats / log(2))
