from functools import partial
from math import erf, exp, sqrt

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from scratchlm.model.block.feedforward import (
    MLP,
    GatedMLP,
    SwiGLU,
    gelu_tanh,
)

GEGLU = partial(GatedMLP, activation=gelu_tanh)
LAYERS = [MLP, partial(MLP, bias=False), GEGLU, SwiGLU]


def multiply(matrix, vector):
    return [
        sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix
    ]


def test_mlp_equals_plain_loops():
    """A bias that is dropped, or an activation after the second map."""
    torch.manual_seed(0)
    layer = MLP(3, 5, activation=F.relu)
    x = torch.randn(3)
    up = multiply(layer.up.weight.tolist(), x.tolist())
    bent = [
        max(0.0, a + b)
        for a, b in zip(up, layer.up.bias.tolist(), strict=True)
    ]
    down = multiply(layer.down.weight.tolist(), bent)
    expected = torch.tensor(down) + layer.down.bias
    torch.testing.assert_close(layer(x[None])[0], expected)


def test_swiglu_equals_plain_loops():
    """The activation on the wrong of the two branches: the result has the
    right shape, and a checkpoint gives nonsense."""
    torch.manual_seed(0)
    layer = SwiGLU(3, 5)
    x = torch.randn(3)
    gate = multiply(layer.gate.weight.tolist(), x.tolist())
    up = multiply(layer.up.weight.tolist(), x.tolist())
    mixed = [g / (1 + exp(-g)) * u for g, u in zip(gate, up, strict=True)]
    expected = torch.tensor(multiply(layer.down.weight.tolist(), mixed))
    torch.testing.assert_close(layer(x[None])[0], expected)


def test_another_activation_makes_another_gate():
    """A gate that is SiLU whatever was passed in."""
    torch.manual_seed(0)
    layer, x = GatedMLP(4, 6, activation=torch.sigmoid), torch.randn(2, 4)
    expected = layer.down(torch.sigmoid(layer.gate(x)) * layer.up(x))
    torch.testing.assert_close(layer(x), expected)


def test_gelu_is_close_to_the_exact_one():
    """The constant of the approximation, mistyped."""
    x = torch.linspace(-6, 6, 200)
    exact = torch.tensor([a * (1 + erf(a / sqrt(2))) / 2 for a in x.tolist()])
    away = (gelu_tanh(x) - exact).abs().max()
    assert 1e-4 < away < 5e-4  # close, and not the exact one


@pytest.mark.parametrize("make", LAYERS)
def test_each_position_is_alone(make):
    """A layer that mixes positions would see the future."""
    torch.manual_seed(0)
    layer, x = make(8, 16), torch.randn(1, 5, 8)
    changed = x.clone()
    changed[:, 2] += 1
    differs = (layer(changed) != layer(x)).any(-1)[0]
    assert differs.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (MLP, 2 * 8 * 16 + 16 + 8),
        (partial(MLP, bias=False), 2 * 8 * 16),
        (GEGLU, 3 * 8 * 16),
        (SwiGLU, 3 * 8 * 16),
        (partial(SwiGLU, bias=True), 3 * 8 * 16 + 2 * 16 + 8),
    ],
)
def test_parameters_are_those_of_the_formula(make, count):
    """A bias in a gated layer that was not asked for, and that few
    published checkpoints have."""
    assert sum(w.numel() for w in make(8, 16).parameters()) == count


def test_what_writes_to_the_stream_is_called_down():
    """The initialisation finds it by this name."""
    for make in LAYERS:
        layer = make(8, 16)
        assert isinstance(layer.down, nn.Linear)
        assert layer.down.out_features == 8
