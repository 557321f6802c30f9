"""What a run costs, before it begins."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import nn

from scratchlm.interop.blank import blank
from scratchlm.model.published.accounting import (
    activation_bytes,
    count,
    flops_per_token,
)
from scratchlm.recipes.recipe import Recipe
from scratchlm.training.optimizers.groups import Several
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.precision import find_dtype
from scratchlm.training.pretraining.state import Training
from scratchlm.training.pretraining.step import take_step


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run costs.

    Args:
        parameters: of the model, tied ones once.
        tokens: positions that are computed, padding too.
        flops: additions and multiplications of all steps.
        memory: bytes of weights, gradients, the optimizer's state and the
            activations of a micro-batch.
        seconds: that the steps take, if the first ones are like the rest;
            None where nobody has timed them.
    """

    parameters: int
    tokens: int
    flops: float
    memory: int
    seconds: float | None = None

    def lines(self) -> list[str]:
        """Return it for people."""
        found = [
            f"parameters  {self.parameters:>16,}",
            f"tokens      {self.tokens:>16,}",
            f"FLOPs       {self.flops:>16.2e}",
            f"memory      {self.memory / 1e6:>13,.0f} MB",
        ]
        if self.seconds is not None:
            found.append(f"time        {self.seconds / 60:>12,.1f} min")
        return found


def plan(recipe: Recipe, *, seconds_per_step: float | None = None) -> Plan:
    """Return what a recipe costs, without training.

    The optimizer is made for a model without memory, to see what it holds.

    Args:
        recipe: to plan.
        seconds_per_step: measured; None leaves the time out.
    """
    run, tokens = recipe.run, recipe.run.n_steps * recipe.tokens_per_step
    model = blank(run.model)
    weights = count(model)
    each = flops_per_token(run.model, recipe.n_tokens).training
    rows = -(-recipe.batch_size // run.n_micro)
    kept = sum(
        activation_bytes(
            run.model, rows, recipe.n_tokens, find_dtype(run.dtype)
        ).values()
    )
    # float32 weights and gradients.
    memory = 8 * weights + state_bytes(model, run.optimizer) + kept
    time = None if seconds_per_step is None else run.n_steps * seconds_per_step
    return Plan(
        parameters=weights,
        tokens=tokens,
        flops=each * tokens,
        memory=memory,
        seconds=time,
    )


def state_bytes(
    model: nn.Module,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
) -> int:
    """Return what an optimizer holds for a model after its first step.

    Args:
        model: on the meta device, so that nothing is computed.
        optimizer: called with the model.
    """
    made = optimizer(model)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    made.step()
    parts = made.optimizers if isinstance(made, Several) else [made]
    return sum(
        value.nbytes
        for part in parts
        for state in part.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )


def seconds_per_step(recipe: Recipe, n_steps: int = 3) -> float:
    """Take a few steps of a run, and return what one takes.

    The first is left out, for it makes what the others find made.

    Args:
        recipe: its run is begun anew, and thrown away.
        n_steps: to time.
    """
    training = Training(recipe.run)
    times = []
    for _ in range(n_steps + 1):
        start = perf_counter()
        take_step(training, Request())
        times.append(perf_counter() - start)
    return min(times[1:])
