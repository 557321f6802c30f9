"""What a run costs, against what it takes."""

from dataclasses import replace
from functools import partial
from importlib import import_module

import pytest
import torch

from scratchlm.interop.blank import blank
from scratchlm.model.published.accounting import (
    activation_bytes,
    count,
    flops_per_token,
)
from scratchlm.model.transformer import Transformer
from scratchlm.recipes.plan import Plan, plan, seconds_per_step, state_bytes
from scratchlm.training.optimizers import adamw, muon_and_adamw

# The face of the folder has a function of this name.
MODULE = import_module("scratchlm.recipes.plan")
PLAN = Plan(parameters=1234, tokens=5678, flops=9.0e10, memory=2_000_000)


def tensors_in(state):
    """The bytes of all tensors in what an optimizer saves."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state, dict):
        return sum(map(tensors_in, state.values()))
    if isinstance(state, list):
        return sum(map(tensors_in, state))
    return 0


def test_parameters_and_operations_are_those_of_the_model(small_recipe):
    """A tied head that counts twice, or a step without its backward pass."""
    run = small_recipe.run
    found = plan(small_recipe)
    assert found.parameters == count(Transformer(run.model))
    assert found.tokens == 6 * 2 * 256
    each = flops_per_token(run.model, 256)
    assert found.flops == pytest.approx(3 * each.forward * 6 * 2 * 256)


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(adamw, lr=1e-3),
        muon_and_adamw,
        partial(muon_and_adamw, dtype=torch.bfloat16),
        lambda model: torch.optim.SGD(model.parameters(), momentum=0.9),
    ],
)
def test_the_state_is_what_an_optimizer_holds_after_a_step(
    small_recipe, optimizer
):
    """A mean that is forgotten, or the type of an iteration for its."""
    config = small_recipe.run.model
    model = Transformer(config)
    made = optimizer(model)
    model(torch.zeros(1, 4, dtype=torch.long)).sum().backward()
    made.step()
    assert state_bytes(blank(config), optimizer) == tensors_in(
        made.state_dict()
    )


@pytest.mark.parametrize(("n_micro", "rows"), [(1, 2), (2, 1)])
def test_memory_is_weights_gradients_state_and_a_part_of_a_step(
    small_recipe, n_micro, rows
):
    """Activations of all rows, where a part at a time is computed."""
    run = replace(small_recipe.run, n_micro=n_micro, dtype="bfloat16")
    found = plan(replace(small_recipe, run=run))
    kept = activation_bytes(run.model, rows, 256, torch.bfloat16)
    state = state_bytes(blank(run.model), run.optimizer)
    assert found.memory == 8 * found.parameters + state + sum(kept.values())


def test_an_odd_row_belongs_to_the_largest_part(small_recipe):
    """Three rows in two parts, planned as if one were enough."""
    run = replace(small_recipe.run, n_micro=2)
    found = [
        plan(replace(small_recipe, run=run, batch_size=size)).memory
        for size in (3, 4)
    ]
    assert found[0] == found[1]


def test_lines_are_for_people():
    """A time that nobody has measured."""
    text = "\n".join(PLAN.lines())
    assert "parameters             1,234\n" in text
    assert text.endswith("memory                  2 MB")
    last = replace(PLAN, seconds=90.0).lines()[-1]
    assert last.split() == ["time", "1.5", "min"]


def test_the_time_is_that_of_all_steps(small_recipe):
    """Seconds of one step for the run's."""
    assert plan(small_recipe, seconds_per_step=2.0).seconds == 12.0


def test_a_step_is_timed_without_the_first(small_recipe, monkeypatch):
    """The time in which memory is taken and code is made, times all steps."""
    times = iter([0.0, 100.0, 100.0, 102.0, 102.0, 105.0])
    taken = []
    monkeypatch.setattr(MODULE, "perf_counter", lambda: next(times))
    monkeypatch.setattr(
        MODULE, "take_step", lambda *given: taken.append(given)
    )
    assert seconds_per_step(small_recipe, n_steps=2) == 2.0
    assert len(taken) == 3
