"""One step of training."""

from dataclasses import dataclass, replace
from math import isfinite, nan
from time import perf_counter

import torch
from jaxtyping import Int
from torch import Tensor

from scratchlm.training.objective.loss import n_valid
from scratchlm.training.optimizers.clipping import clip_gradients
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.memory import out_of_memory_explained
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    as_tensors,
    micro_batches,
)
from scratchlm.training.pretraining.precision import autocast
from scratchlm.training.pretraining.state import (
    Training,
    generator_states,
    set_generator_states,
)


class Diverged(ValueError):
    """Too many steps in a row were not finite."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step did.

    Args:
        step: its number, from 0.
        tokens: valid ones of all steps that were taken so far.
        loss: nats for each valid token, before the step.
        norm: of the gradient, before clipping.
        rate: the part of the peak learning rate.
        seconds: of all steps so far, without evaluation.
        skipped: whether the weights stayed as they were, because the loss
            or the gradient was not finite.
        held_out: the held-out loss after the step, or None.
    """

    step: int
    tokens: int
    loss: float
    norm: float
    rate: float
    seconds: float
    skipped: bool
    held_out: float | None = None


def take_step(training: Training, request: Request) -> Step | None:
    """Take one step, or go on with one that was interrupted.

    Args:
        training: is advanced.
        request: to end; looked at after each micro-batch.

    Returns:
        None where it was asked to end in the middle of the step.

    Raises:
        ValueError: memory ran out.
        Diverged: too many steps in a row were skipped.
    """
    run, start = training.run, perf_counter()
    batch = as_tensors(training.batch(), training.device)
    count = n_valid(batch.targets)
    parts = list(micro_batches(batch, run.n_micro))
    while training.micro < len(parts):
        add_gradients(training, parts[training.micro], count)
        if request and training.micro < len(parts):
            training.seconds += perf_counter() - start
            return None
    step = update_weights(training, int(count), start)
    if evaluation_is_due(training):
        return replace(step, held_out=held_out_loss(training))
    return step


def add_gradients(
    training: Training, part: TokenBatch, count: Int[Tensor, ""]
) -> None:
    """Add a micro-batch's share of the gradient of the step's mean loss.

    Args:
        training: its gradients, its sum of nats and its micro are changed.
        part: some rows of the step.
        count: valid tokens of the whole step.
    """
    run = training.run
    with out_of_memory_explained(
        part, n_micro=run.n_micro, recompute=run.recompute
    ):
        with autocast(training.dtype, training.device):
            loss = run.loss(training.model, part)
        if count > 0:
            share = training.scale.scale(loss.over(count))
            share.backward()  # type: ignore[no-untyped-call]  # torch's
    training.nats = training.nats + loss.total.detach()
    training.micro += 1


def update_weights(training: Training, count: int, start: float) -> Step:
    """Let the optimizer use the summed gradients, if they are finite.

    Args:
        training: all its micro-batches are done; goes on to the next step.
        count: valid tokens of the step.
        start: when the step began, by ``perf_counter``.

    Raises:
        Diverged: too many steps in a row were skipped.
    """
    training.scale.unscale(training.gradients)
    norm = float(clip_gradients(training.parameters, training.run.clip))
    loss = float(training.nats) / count if count else nan
    rate = training.set_rate()
    finite = isfinite(loss) and isfinite(norm)
    if finite:
        training.optimizer.step()
        training.tokens += count
    training.optimizer.zero_grad(set_to_none=True)
    # An overflow that a smaller scale mends is no sign of illness.
    overflow = isfinite(loss) and training.scale.update(finite)
    training.skipped += not finite
    training.in_a_row = 0 if finite else training.in_a_row + (not overflow)
    if training.in_a_row > training.run.most_skipped:
        raise Diverged(
            f"step {training.step}: loss {loss}, norm of the gradient {norm}; "
            f"{training.in_a_row} steps in a row were skipped because these "
            "are not finite. Lower the learning rate, clip more, or look at "
            "the rows of these steps"
        )
    done = training.step
    training.go_on(perf_counter() - start)
    return Step(
        step=done,
        tokens=training.tokens,
        loss=loss,
        norm=norm,
        rate=rate,
        seconds=training.seconds,
        skipped=not finite,
    )


def evaluation_is_due(training: Training) -> bool:
    """Return whether the held-out loss is wanted after the last step.

    Args:
        training: has just done a step.
    """
    run = training.run
    if run.evaluate is None:
        return False
    every = run.evaluate_every or run.n_steps
    return training.step % every == 0 or training.step == run.n_steps


def held_out_loss(training: Training) -> float:
    """Return the held-out loss, and leave the run as it was.

    Args:
        training: its model is asked, with nothing dropped; its draws go on
            as if nothing had happened.
    """
    model, states = training.model, generator_states()
    assert training.run.evaluate is not None
    model.eval()
    try:
        with torch.no_grad(), autocast(training.dtype, training.device):
            return float(training.run.evaluate(model))
    finally:
        model.train()
        set_generator_states(states)
