"""Sums along rows of a weight, against ``nn.Linear``."""

import pytest
import torch
from torch import nn

from scratchlm.inference.cache.kernels.row_linear import (
    RowLinear,
    exchange_linears,
)
from scratchlm.model.transformer.head import LinearHead, SoftcappedHead


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(8,), (1, 8), (1, 1, 8), (3, 8), (2, 3, 8)])
def test_equals_linear(shape, bias):
    """A bias that one row does not get, or axes of one that are lost."""
    draw = torch.Generator().manual_seed(0)
    linear = nn.Linear(8, 5, bias=bias)
    x = torch.randn(shape, generator=draw)
    torch.testing.assert_close(RowLinear(linear)(x), linear(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_are_added_in_float32(dtype):
    """A sum in 16 bits, which stops growing at the length of its mantissa."""
    linear = nn.Linear(3000, 1, bias=False, dtype=dtype)
    nn.init.ones_(linear.weight)
    y = RowLinear(linear)(torch.ones(1, 3000, dtype=dtype))
    assert y.dtype == dtype
    assert abs(y.item() - 3000) < 3000 * torch.finfo(dtype).eps


def test_linears_are_exchanged_at_all_depths_and_no_others():
    """A projection left in a block; a head that forgets its cap."""
    inner = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    capped = SoftcappedHead(4, 9, cap=2.0)
    model = nn.ModuleDict(
        {"block": inner, "head": LinearHead(4, 9), "capped": capped}
    )
    weight = inner[0].weight
    exchange_linears(model)
    assert type(model["block"][0]) is type(model["head"]) is RowLinear
    assert model["block"][0].weight is weight
    assert model["capped"] is capped
