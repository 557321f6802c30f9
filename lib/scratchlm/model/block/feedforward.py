"""The layer that works on each position alone."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules import module

Activation = Callable[[Tensor], Tensor]
# Numbers of a slice: a megabyte of float32, which a core's own cache holds.
_SLICE = 1 << 18


def gelu_tanh(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Weigh ``x`` by the probability that a normal number is below it.

    The form with tanh, which GPT-2 was trained with; the error function of
    the exact form was slow on the machines of its day.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", sec. 2.
    """
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        # (1 + tanh(z)) / 2 is sigmoid(2 z), and the compiler makes a loop of
        # it that takes 0.35 times as long (measured, 2048 x 1792 float32).
        twice = 2 * math.sqrt(2 / math.pi)
        return x * torch.sigmoid(twice * (x + 0.044715 * x**3))
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
        return self.down(_bend(_read(self.up, x), self.activation))


def _read(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a layer and return what may be overwritten: no hook keeps it."""
    y: Tensor = layer(x)
    kept = layer._forward_hooks or module._global_forward_hooks
    return y.clone() if kept and not torch.is_grad_enabled() else y


def _bend(x: Tensor, activation: Activation) -> Tensor:
    """Apply to each number; without gradients in the memory of ``x``.

    On a CPU a new tensor of this size costs as much as the activation.
    """
    known = type(x) is Tensor and x.is_cpu and x.is_contiguous()
    wanted = torch.is_grad_enabled() or torch.compiler.is_compiling()
    if wanted or not known or x.numel() <= _SLICE:
        return activation(x)
    for part in torch.split(x.view(-1), _SLICE):
        part.copy_(activation(part))
    return x


class GatedMLP(nn.Module):
    """A layer that decides how much of itself to pass.

    Computes ``down(activation(gate(x)) * up(x))``. With SiLU as activation
    it is SwiGLU, with GELU it is GeGLU.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.
        activation: what the gate passes through.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.
    """

    def __init__(
        self, d_model: int, d_ff: int, *, activation: Activation = F.silu
    ):
        super().__init__()
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        return self.down(self.pass_through(_read(self.gate, x), self.up(x)))

    def pass_through(
        self, gate: Float[Tensor, "*B F"], up: Float[Tensor, "*B F"]
    ) -> Float[Tensor, "*B F"]:
        """Return as much of ``up`` as the gate lets pass.

        Args:
            gate: decides how much passes. Where no gradient is recorded its
                memory may be used for the result.
            up: what passes.
        """
        return _bend(gate, self.activation) * up


class SwiGLU(GatedMLP):
    """The gated layer of Llama, with SiLU.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.
    """

    def __init__(self, d_model: int, d_ff: int):
        super().__init__(d_model, d_ff, activation=F.silu)

    def pass_through(
        self, gate: Float[Tensor, "*B F"], up: Float[Tensor, "*B F"]
    ) -> Float[Tensor, "*B F"]:
        """Return ``silu(gate) * up``, with one copy less in memory."""
        return silu_gate(gate, up)


def silu_gate(
    gate: Float[Tensor, "*B F"], up: Float[Tensor, "*B F"]
) -> Float[Tensor, "*B F"]:
    """Return ``silu(gate) * up``, with its backward by hand.

    Args:
        gate: decides how much passes; SiLU is ``x * sigmoid(x)``. Where no
            gradient is recorded its memory is used for the result.
        up: what passes.
    """
    if torch.compiler.is_compiling():  # it fuses the two passes itself
        return F.silu(gate) * up
    if not torch.is_grad_enabled():
        return F.silu(gate, inplace=True).mul_(up)
    return _SiluGate.apply(gate, up)  # type: ignore[no-untyped-call]


class _SiluGate(torch.autograd.Function):
    """PyTorch would keep silu(gate) beside gate and up; this makes it anew."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dgate = grad * up  # of silu(gate), and after the next line of gate
        torch.ops.aten.silu_backward.grad_input(dgate, gate, grad_input=dgate)
        return dgate, F.silu(gate).mul_(grad)
