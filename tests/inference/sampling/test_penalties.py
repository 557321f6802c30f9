"""Penalties against transformers', and by hand."""

from math import inf, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation import logits_process as theirs

from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.penalties import (
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
    Temperature,
    frequency_penalty,
    presence_penalty,
    repetition_penalty,
    temperature,
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
PROMPTS = [[1, 2, 2], [3, 4, 5]]
WRITTEN = [[7, 7], [3, 8]]


@pytest.fixture
def history():
    history = History(PROMPTS)
    for column in zip(*WRITTEN, strict=True):
        history.append(column)
    return history


def random_logits(dtype):
    generator = torch.Generator().manual_seed(0)
    return (3 * torch.randn(2, 10, generator=generator)).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("penalty", [1.0, 1.3, 0.8])
def test_repetition_penalty_equals_transformers(history, dtype, penalty):
    """A prompt that is left out, or a token that pays twice for occurring
    twice."""
    logits = random_logits(dtype)
    ids = torch.tensor([p + w for p, w in zip(PROMPTS, WRITTEN, strict=True)])
    other = theirs.RepetitionPenaltyLogitsProcessor(penalty)
    found = RepetitionPenalty(penalty)(logits, history)
    assert torch.equal(found, other(ids, logits))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_temperature_equals_transformers(history, dtype):
    """Multiplied where everybody divides."""
    logits = random_logits(dtype)
    other = theirs.TemperatureLogitsWarper(0.7)
    assert torch.equal(Temperature(0.7)(logits, history), other(None, logits))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_presence_and_frequency_count_what_was_written(history, dtype):
    """Counted with the prompt, a question's own words cannot be used in its
    answer."""
    zeros = torch.zeros(2, 10, dtype=dtype)
    found = PresencePenalty(0.5)(zeros, history)
    expected = zeros.clone()
    expected[0, 7], expected[1, 3], expected[1, 8] = -0.5, -0.5, -0.5
    assert torch.equal(found, expected)
    found = FrequencyPenalty(0.5)(zeros, history)
    expected[0, 7] = -1.0
    assert torch.equal(found, expected)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_repetition_penalty_lowers_both_signs(sign):
    """Divided whatever the sign, a negative logit rises and the penalty is a
    reward."""
    logits = torch.tensor([[2.0 * sign, 2.0 * sign]])
    counts = torch.tensor([[1, 0]])
    found = repetition_penalty(logits, counts, 2.0)
    assert found[0, 0] == (1.0 if sign > 0 else -4.0)
    assert found[0, 1] == 2.0 * sign


def test_what_is_hidden_stays_hidden(history):
    """0 times infinity is NaN, and a reward must not show what a grammar
    hides."""
    logits = torch.full((2, 10), -inf)
    for processor in [
        RepetitionPenalty(0.5),
        RepetitionPenalty(2),
        PresencePenalty(-1),
        FrequencyPenalty(-1.0),
        Temperature(0.1),
    ]:
        assert torch.equal(processor(logits, history), logits)


@given(t=st.floats(0.05, 20.0))
def test_a_temperature_is_a_power_of_the_probabilities(t):
    """The definition: p to the power 1/t, normalised."""
    logits = torch.tensor([[0.3, -1.2, 2.0, 0.0]]).double()
    power = logits.softmax(-1) ** (1 / t)
    found = temperature(logits, t).softmax(-1)
    torch.testing.assert_close(found, power / power.sum())


def test_a_penalty_leaves_the_logits_as_they_are(history):
    """Written in place, the penalty grows with each look at them."""
    logits = random_logits(torch.float32)
    before = logits.clone()
    counts = history.counts(10, prompt=True)
    repetition_penalty(logits, counts, 2.0)
    presence_penalty(logits, counts, 2.0)
    frequency_penalty(logits, counts, 2.0)
    temperature(logits, 2.0)
    assert torch.equal(logits, before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Temperature(0), "temperature is 0; .* take greedy for 0"),
        (lambda: Temperature(-1.0), "temperature is -1.0"),
        (lambda: Temperature(inf), "temperature is inf"),
        (lambda: Temperature(nan), "temperature is nan"),
        (lambda: RepetitionPenalty(0.0), "repetition_penalty is 0.0; .*1 for"),
        (lambda: PresencePenalty(inf), "presence_penalty is inf; .* 0 for no"),
        (lambda: FrequencyPenalty(nan), "frequency_penalty is nan"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    """A division by zero that shows as NaN in the middle of a text."""
    with pytest.raises(ValueError, match=message):
        make()
