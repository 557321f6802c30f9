"""All that changes while a run goes on."""

import random

import numpy as np
import pytest
import torch

from scratchlm.training.pretraining import Training, take_step
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.state import (
    generator_states,
    seed_everything,
    set_generator_states,
)


def draws():
    return random.random(), np.random.rand(), float(torch.rand(()))


def test_every_generator_goes_on_where_it_was():
    """One that is forgotten changes augmentation, dropout or sampling."""
    seed_everything(3)
    draws()
    states = generator_states()
    expected = draws()
    draws()
    set_generator_states(states)
    assert draws() == expected


def test_a_seed_sets_all_of_them():
    """A run would differ from one process to the next."""
    seed_everything(7)
    first = draws()
    seed_everything(7)
    assert draws() == first
    seed_everything(1 << 40)  # more than NumPy takes
    assert draws() != first


def test_the_batch_stays_until_the_step_is_done(make_run):
    """A step that is interrupted would go on with other rows."""
    training = Training(make_run())
    first = training.batch()
    assert np.array_equal(training.batch().tokens, first.tokens)
    take_step(training, Request())
    assert not np.array_equal(training.batch().tokens, first.tokens)
    assert training.batches.samples_seen == 6


def test_the_state_is_whole(make_run):
    """What is missing in it is new after a resumption."""
    training = Training(make_run(dtype="float16"))
    for _ in range(3):
        take_step(training, Request())
    other = Training(make_run(dtype="float16"))
    other.load_state_dict(training.state_dict())
    for _ in range(3):
        one, two = (take_step(t, Request()) for t in (training, other))
        assert (one.loss, one.norm) == (two.loss, two.norm)
    assert other.step == 6
    assert other.scale == training.scale


def test_the_state_is_not_the_live_one_of_another_run(make_run):
    """Weights that two models share change in both."""
    training, other = Training(make_run()), Training(make_run())
    other.load_state_dict(training.state_dict())
    before = [p.clone() for p in training.parameters]
    take_step(other, Request())
    for a, b in zip(before, training.parameters, strict=True):
        assert torch.equal(a, b)


def test_rates_follow_each_groups_own_peak(make_run):
    """Groups with rates of their own would all get that of the first."""
    training = Training(make_run(schedule=lambda step: 0.5))
    peaks = [g["lr"] for g in training.optimizer.param_groups]
    assert len(set(peaks)) > 1
    assert training.set_rate() == 0.5
    training.set_rate()
    rates = [g["lr"] for g in training.optimizer.param_groups]
    assert rates == [peak / 2 for peak in peaks]


def test_weights_of_another_model_are_refused(make_run):
    """Half of them would be loaded."""
    state = Training(make_run()).state_dict()
    del state["model"]["norm.weight"]
    with pytest.raises(ValueError, match="weights are of another model"):
        Training(make_run()).load_state_dict(state)


def test_data_of_another_run_are_refused(make_run):
    """The position would be that in other rows."""
    state = Training(make_run()).state_dict()
    state["batches"]["fingerprint"] = "0" * 64
    with pytest.raises(ValueError, match="another sequence"):
        Training(make_run()).load_state_dict(state)
