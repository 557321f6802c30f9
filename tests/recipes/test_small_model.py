"""The shape of the small recipes, and their rates."""

from math import inf, nan

import pytest
import torch

from scratchlm.model.transformer import Transformer
from scratchlm.recipes.small_model import (
    check_rate,
    small_model,
    small_optimizer,
)


@pytest.mark.parametrize(
    ("d_model", "n_kv_heads"), [(64, 1), (192, 3), (256, 2)]
)
def test_heads_share_keys_where_they_are_even(d_model, n_kv_heads):
    """A number of key heads that does not divide that of heads."""
    config = small_model(50, d_model, 1, n_tokens=8)
    assert config.n_heads * 64 == d_model
    assert config.n_kv_heads == n_kv_heads
    tokens = torch.zeros(1, 16, dtype=torch.long)
    assert Transformer(config)(tokens).shape == (1, 16, 50)


@pytest.mark.parametrize("d_model", [0, -64, 100])
def test_a_width_that_heads_cannot_share_is_refused(d_model):
    """A model of another width than was asked for."""
    with pytest.raises(ValueError, match=f"d_model is {d_model}; give a"):
        small_model(50, d_model, 1, n_tokens=8)


def test_rates_reach_their_parameters():
    """Tables that move with the rate of matrices."""
    model = Transformer(small_model(50, 64, 1, n_tokens=8))
    for table_lr, wanted in ((None, 0.15 * 0.5), (0.25, 0.25)):
        made = small_optimizer(0.5, "float32", table_lr=table_lr)(model)
        found = [group["lr"] for group in made.param_groups]
        assert found == pytest.approx([0.5, wanted, wanted])


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("float16", torch.float32),
    ],
)
def test_the_iteration_keeps_in_range(dtype, wanted):
    """Muon's iteration in float16, which overflows."""
    assert small_optimizer(0.02, dtype).keywords["dtype"] == wanted


def test_an_unknown_type_is_refused():
    """A KeyError for a slip in a name."""
    with pytest.raises(ValueError, match="int8"):
        small_optimizer(0.02, "int8")


@pytest.mark.parametrize("lr", [0.0, -1.0, inf, nan])
def test_a_rate_that_trains_nothing_is_refused(lr):
    """A run of hours that ends in numbers that are none."""
    with pytest.raises(ValueError, match="give a finite number above 0"):
        check_rate(lr)
    with pytest.raises(ValueError, match="give a finite number above 0"):
        small_optimizer(0.02, "float32", table_lr=lr)
