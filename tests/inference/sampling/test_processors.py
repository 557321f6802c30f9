"""Processors one after another."""

import torch

from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.penalties import Temperature
from scratchlm.inference.sampling.processors import process
from scratchlm.inference.sampling.truncation import MinP, TopP

LOGITS = torch.tensor([[0.5, 0.3, 0.2]]).log()


def test_they_apply_in_the_order_given():
    """Reversed, a temperature behind top-p keeps another set: at twice the
    temperature the first two have 0.74 of the mass, not 0.8."""
    history = History([[]])
    cut_first = process((TopP(0.75), Temperature(2)), LOGITS, history)
    cut_last = process((Temperature(2), TopP(0.75)), LOGITS, history)
    assert (cut_first > -torch.inf).tolist() == [[True, True, False]]
    assert (cut_last > -torch.inf).tolist() == [[True, True, True]]


def test_each_sees_what_the_one_before_left():
    """All of them applied to the first logits, a cut lifts another."""
    found = process((TopP(0.6), MinP(0.3)), LOGITS, History([[]]))
    assert (found > -torch.inf).tolist() == [[True, True, False]]
    assert process((), LOGITS, History([[]])) is LOGITS
