"""Feed-forward layers that make and keep fewer tensors of width F."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules import module

from scratchlm.model.block.feedforward import (
    MLP,
    Activation,
    GatedMLP,
    SwiGLU,
)

# Numbers of a slice: a megabyte of float32, which a core's own cache holds.
_SLICE = 1 << 18


def fused_gelu_tanh(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Apply ``gelu_tanh``, in a form of which the compiler makes a loop.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", sec. 2.
    """
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        # (1 + tanh(z)) / 2 is sigmoid(2 z), and the compiler makes a loop of
        # it that takes 0.35 times as long (measured, 2048 x 1792 float32).
        twice = 2 * math.sqrt(2 / math.pi)
        return x * torch.sigmoid(twice * (x + 0.044715 * x**3))
    return F.gelu(x, approximate="tanh")


class FusedMLP(MLP):
    """``MLP``, bent in the memory of its projection if no gradient is asked.

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
        activation: Activation = fused_gelu_tanh,
        bias: bool = True,
    ):
        super().__init__(d_model, d_ff, activation=activation, bias=bias)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        return self.down(_bend(_read(self.up, x), self.activation))


class FusedGatedMLP(GatedMLP):
    """``GatedMLP``, bent in the memory of the gate if no gradient is asked.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.
        activation: what the gate passes through.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.
    """

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        gate = _bend(_read(self.gate, x), self.activation)
        return self.down(gate * self.up(x))


class FusedSwiGLU(SwiGLU):
    """``SwiGLU``, with one tensor less in memory.

    Args:
        d_model: width of the residual stream.
        d_ff: width inside the layer.
        bias: whether the three linear layers add a learned shift.

    Source: Shazeer 2020, "GLU Variants Improve Transformer", eq. 6.
    """

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return what the layer adds to each position."""
        return self.down(silu_gate(_read(self.gate, x), self.up(x)))


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
