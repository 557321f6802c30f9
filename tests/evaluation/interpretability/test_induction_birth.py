import math
from dataclasses import replace

import pytest
import torch

from scratchlm.evaluation.interpretability.attention_patterns import (
    repeated_tokens,
)
from scratchlm.evaluation.interpretability.induction_birth import (
    copying_loss,
    largest_fall,
    observe_birth,
)
from scratchlm.model.transformer.transformer import Transformer


def test_a_model_that_knows_nothing_pays_for_each_token(config):
    class Even(Transformer):
        def forward(self, tokens):
            return torch.zeros(*tokens.shape, 24)

    loss = copying_loss(Even(config), repeated_tokens(2, 5, 24))
    assert float(loss) == pytest.approx(math.log(24))


def test_checkpoints_are_counted_and_repeat(config):
    small = replace(config, vocab_size=6)
    runs = [
        observe_birth(small, n_steps=20, every=10, n_rows=4, n_half=5)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert runs[0].steps == [0, 10, 20]
    assert runs[0].losses[-1] < runs[0].losses[0]


def test_one_distance_shows_other_rows(config):
    """Rows of the other kind lead to other weights."""
    ends = [
        observe_birth(
            config, n_steps=2, every=2, n_rows=2, n_half=6, one_distance=one
        ).losses[-1]
        for one in (False, True)
    ]
    assert ends[0] != ends[1]


def test_the_largest_fall():
    assert largest_fall([4.0, 3.9, 1.0, 0.2]) == 2


def test_bad_numbers(config):
    with pytest.raises(ValueError, match="at least two"):
        largest_fall([1.0])
    with pytest.raises(ValueError, match="0 steps"):
        observe_birth(config, n_steps=0, every=1)
