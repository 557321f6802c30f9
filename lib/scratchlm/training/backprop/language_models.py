"""Two small language models, and a step downhill."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from scratchlm.training.backprop.autograd import Variable
from scratchlm.training.backprop.functions import tanh


class Bigram:
    """A row of logits for each token: what comes next, given the last one.

    Args:
        vocab_size: number of tokens V.
    """

    def __init__(self, vocab_size: int):
        self.table = Variable(
            np.zeros((vocab_size, vocab_size)), requires_grad=True
        )

    def parameters(self) -> list[Variable]:
        """Return the weights: the table."""
        return [self.table]

    def __call__(
        self, tokens: Int[np.ndarray, "*B"]
    ) -> Float[Variable, "*B V"]:
        """Return the logits of what follows each token."""
        return self.table[tokens]


class MLPLanguageModel:
    """Logits of the next token from the T tokens before it.

    The vectors of the T tokens stand end to end in one row, a layer with
    tanh reads the row, and a head gives the logits.

    Args:
        vocab_size: number of tokens V.
        n_tokens: tokens T that it looks back at.
        d_model: width D of a token's vector.
        d_ff: width F of the hidden layer.
        seed: of the first weights, drawn with deviation one over the root
            of the number of inputs; the head's are a tenth of that, so that
            the first loss is close to log V.

    Source: Bengio et al. 2003, "A Neural Probabilistic Language Model",
    without the direct connections of its eq. 1.
    """

    def __init__(
        self,
        vocab_size: int,
        n_tokens: int,
        d_model: int,
        d_ff: int,
        *,
        seed: int,
    ):
        rng = np.random.default_rng(seed)
        wide = n_tokens * d_model

        def draw(*shape: int, scale: float) -> Variable:
            numbers = scale * rng.standard_normal(shape, np.float32)
            return Variable(numbers.astype(np.float32), requires_grad=True)

        self.n_tokens = n_tokens
        self.embedding = draw(vocab_size, d_model, scale=1.0)
        self.hidden = draw(wide, d_ff, scale=wide**-0.5)
        self.hidden_bias = draw(d_ff, scale=0.0)
        self.head = draw(d_ff, vocab_size, scale=0.1 * d_ff**-0.5)
        self.head_bias = draw(vocab_size, scale=0.0)

    def parameters(self) -> list[Variable]:
        """Return the weights, from the embedding to the head."""
        return [
            self.embedding,
            self.hidden,
            self.hidden_bias,
            self.head,
            self.head_bias,
        ]

    def __call__(
        self, tokens: Int[np.ndarray, "B T"]
    ) -> Float[Variable, "B V"]:
        """Return the logits of what follows each row."""
        x = self.embedding[tokens].reshape(len(tokens), -1)
        h = tanh(x @ self.hidden + self.hidden_bias)
        return h @ self.head + self.head_bias


def descend(parameters: Iterable[Variable], rate: float) -> None:
    """Move each weight against its gradient, and forget the gradient.

    Args:
        parameters: the weights.
        rate: the learning rate: the length of the step for a gradient of
            length one.

    Raises:
        ValueError: a weight has no gradient, since no backward pass
            reached it.
    """
    steps = []
    for weight in parameters:
        if weight.grad is None:
            raise ValueError(
                f"a weight of shape {weight.shape} has no gradient; call "
                "backward() on a loss that depends on it"
            )
        steps.append((weight, rate * weight.grad))
    for weight, move in steps:  # once it is known that none is missing
        weight.data = weight.data - move
        weight.grad = None


def context_windows(
    ids: Int[np.ndarray, " n"], n_tokens: int
) -> tuple[Int[np.ndarray, "m T"], Int[np.ndarray, " m"]]:
    """Return each run of ``n_tokens`` tokens, and the token behind it.

    Args:
        ids: a text.
        n_tokens: tokens in a run.

    Raises:
        ValueError: the text has no token behind its first run.
    """
    if not 0 < n_tokens < len(ids):
        raise ValueError(
            f"runs of {n_tokens} tokens, and one behind, in a text of "
            f"{len(ids)}; give a longer text or shorter runs"
        )
    windows = np.lib.stride_tricks.sliding_window_view(ids, n_tokens)
    return windows[:-1], ids[n_tokens:]
