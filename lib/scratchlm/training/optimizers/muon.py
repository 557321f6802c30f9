"""A step whose directions are all as long: Muon."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scratchlm.training.optimizers.per_parameter import (
    Parameters,
    PerParameter,
)

# The factors of x, x^3 and x^5 of each step of the iteration.
Coefficients = Sequence[tuple[float, float, float]]
# Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural
# networks": the same five times; torch.optim.Muon has it by default.
JORDAN: Coefficients = ((3.4445, -4.7750, 2.0315),) * 5
# What has 1 as an attracting fixed point, of third order: it converges, but
# triples no small singular value, as the others do.
CONVERGENT: Coefficients = ((15 / 8, -10 / 8, 3 / 8),) * 12
# Amsel et al. 2025, "The Polar Express", for singular values from 0.001 on:
# each step is the best polynomial for what the steps before it left. These
# are the numbers of modded-nanogpt, for a norm that is 2 % too large.
POLAR_EXPRESS: Coefficients = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def orthogonalize(
    matrix: Float[Tensor, "m n"],
    coefficients: Coefficients = JORDAN,
    *,
    dtype: torch.dtype = torch.float32,
    slack: float = 0.0,
    eps: float = 1e-7,
) -> Float[Tensor, "m n"]:
    """Bring all singular values of a matrix near 1, and keep its directions.

    Each step maps every singular value s to ``a s + b s^3 + c s^5``, by
    products of matrices alone, so that no decomposition is computed.

    Args:
        matrix: of any size; zero stays zero.
        coefficients: a, b and c of each step.
        dtype: of the products.
        slack: divide by this much more than the norm, where the steps would
            let a value just above 1 escape: 0.02 for ``POLAR_EXPRESS``.
        eps: the least norm to divide by.

    Returns:
        A matrix of ``dtype``.

    Source: Bernstein and Newhouse 2024, "Old Optimizer, New Norm: An
    Anthology", appendix A; Jordan et al. 2024, "Muon".
    """
    x = matrix.to(dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x  # the smaller of two possible products
    x = x / (x.norm() * (1 + slack)).clamp(min=eps)  # none is above 1 now
    for a, b, c in coefficients:
        # a x + (b S + c S S) x: addmm rounds a product and a sum once.
        s = x @ x.mT
        x = torch.addmm(x, torch.addmm(s, s, s, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def spectral_scale(shape: Sequence[int]) -> float:
    """Return the factor by which a step changes outputs alike in each layer.

    An orthogonal m by n matrix keeps the length of what it maps, and what it
    maps has n entries and the result m: per entry they differ by the root of
    m over n. Wide matrices keep 1, as in the first implementation.

    Args:
        shape: of the matrix, outputs first.

    Source: Jordan et al. 2024, "Muon".
    """
    return float(max(1.0, shape[0] / shape[1]) ** 0.5)


def adamw_scale(shape: Sequence[int]) -> float:
    """Return the factor by which entries move about as far as AdamW's.

    Args:
        shape: of the matrix, outputs first.

    Source: Liu et al. 2025, "Muon is Scalable for LLM Training", eq. 4.
    """
    return 0.2 * float(max(shape)) ** 0.5


class Muon(PerParameter):
    """Step along the momentum with all its singular values set to 1.

    For the matrices of a model alone; tables, vectors and the head take
    another optimizer. Equal to ``torch.optim.Muon`` with ``dtype`` bfloat16,
    which refuses stacks.

    Args:
        params: matrices, stacks of them such as the experts of a layer, or
            groups of these.
        lr: the learning rate: the length of a step in each direction, times
            ``scale``.
        momentum: what the running mean of gradients keeps of itself.
        nesterov: mix the gradient into the mean once more.
        weight_decay: a step shrinks each weight by ``lr`` times this.
        coefficients: of the iteration that orthogonalises.
        slack: of its norm.
        scale: a function of the matrix's shape.
        dtype: of the iteration.

    Raises:
        ValueError: a parameter is a vector, or a setting is out of range.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in
    neural networks".
    """

    def __init__(  # noqa: PLR0913
        self,
        params: Parameters,
        lr: float = 0.02,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        coefficients: Coefficients = JORDAN,
        slack: float = 0.0,
        scale: Callable[[Sequence[int]], float] = spectral_scale,
        dtype: torch.dtype = torch.float32,
    ):
        self.coefficients, self.slack = coefficients, slack
        self.scale, self.dtype = scale, dtype
        settings = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
        }
        super().__init__(params, settings)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim < 2:
                    raise ValueError(
                        "Muon is for matrices, and a parameter has the shape "
                        f"{tuple(parameter.shape)}; give it to AdamW"
                    )

    def update(
        self,
        parameter: Tensor,
        gradient: Tensor,
        state: dict[str, Any],
        group: dict[str, Any],
    ) -> None:
        """Move one parameter, in place."""
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean = state["mean"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(mean, group["momentum"])
        raw = ahead if group["nesterov"] else mean
        length = group["lr"] * self.scale(parameter.shape[-2:])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        # One matrix, or each of a stack.
        for weights, matrix in zip(
            parameter.view(-1, *parameter.shape[-2:]),
            raw.reshape(-1, *parameter.shape[-2:]),
            strict=True,
        ):
            step = orthogonalize(
                matrix, self.coefficients, dtype=self.dtype, slack=self.slack
            )
            weights.add_(step, alpha=-length)
