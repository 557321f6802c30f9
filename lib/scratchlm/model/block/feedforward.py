"""The layer that works on each position alone."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]


def gelu_tanh(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Weigh ``x`` by the probability that a normal number is below it.

    The form with tanh, which GPT-2 was trained with; the error function of
    the exact form was slow on the machines of its day.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", sec. 2.
    """
    return F.gelu(x, approximate="tanh")


class MLP(nn.Module):
    """Two linear layers around a bend.

    Computes ``down(activation(up(x)))``.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.
        activation: the bend, applied to each number alone.
        bias: whether the two linear layers add a learned shift.

    Source: Vaswani et al. 2017, "Attention Is All You Need", eq. 2.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        *,
        activation: Activation = gelu_tanh,
        bias: bool = True,
    ):
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=bias)
        self.down = nn.Linear(d_ff, d_model, bias=bias)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        return self.down(self.activation(self.up(x)))


class SwiGLU(nn.Module):
    """A layer that decides how much of itself to pass: that of Llama.

    Computes ``down(silu(gate(x)) * up(x))``.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.
        bias: whether the three linear layers add a learned shift.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.
    """

    def __init__(self, d_model: int, d_ff: int, *, bias: bool = False):
        super().__init__()
        self.gate = nn.Linear(d_model, d_ff, bias=bias)
        self.up = nn.Linear(d_model, d_ff, bias=bias)
        self.down = nn.Linear(d_ff, d_model, bias=bias)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        return self.down(F.silu(self.gate(x)) * self.up(x))


class GatedMLP(SwiGLU):
    """A gated layer with any activation.

    Computes ``down(activation(gate(x)) * up(x))``. With GELU it is GeGLU.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.
        activation: what the gate passes through.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.
    """

    def __init__(self, d_model: int, d_ff: int, *, activation: Activation):
        super().__init__(d_model, d_ff)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        return self.down(self.activation(self.gate(x)) * self.up(x))
