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
    silu_gate,
)

LAYERS = [MLP, partial(MLP, bias=False), GatedMLP, SwiGLU]


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


def test_the_gate_passes_gradcheck():
    """Its backward is written by hand, and makes silu(gate) anew."""
    torch.manual_seed(0)
    gate, up = torch.randn(2, 3, 4, dtype=torch.float64)
    inputs = gate.requires_grad_(), up.clone().requires_grad_()
    assert torch.autograd.gradcheck(silu_gate, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_gradients_the_gate_is_the_same(dtype):
    """Two paths that drift apart, or one that overwrites more than the
    gate, whose memory it may use."""
    gate, up = torch.randn(2, 3, 5).to(dtype)
    kept, expected = up.clone(), F.silu(gate) * up
    trained = silu_gate(gate.clone().requires_grad_(), up)
    with torch.no_grad():
        evaluated = silu_gate(gate, up)
    assert torch.equal(up, kept)
    assert torch.equal(trained, expected)
    assert torch.equal(evaluated, expected)


@pytest.mark.parametrize("make", LAYERS)
def test_without_gradients_each_layer_is_the_same(make):
    """Without gradients a large layer bends in its own memory, a slice at a
    time: a last slice that is left out, or an input that is overwritten."""
    torch.manual_seed(0)
    layer, x = make(4, 700), torch.randn(3, 150, 4)
    kept, expected = x.clone(), layer(x)
    with torch.no_grad():
        evaluated = layer(x)
    torch.testing.assert_close(evaluated, expected)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("make", [MLP, GatedMLP, SwiGLU])
@pytest.mark.parametrize("everywhere", [False, True])
def test_what_a_hook_kept_stays(make, everywhere):
    """Bent in its own memory, what a hook kept as the projection would be
    the activation, without a word to whoever studies the model."""
    torch.manual_seed(0)
    layer, x, kept = make(4, 700), torch.randn(3, 150, 4), []
    first = layer.up if make is MLP else layer.gate
    expected = first(x).detach()

    def keep(module, inputs, output):
        if module is first:
            kept.append(output.detach())

    register = first.register_forward_hook
    if everywhere:
        register = nn.modules.module.register_module_forward_hook
    with register(keep), torch.no_grad():
        layer(x)
    assert torch.equal(kept[0], expected)


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gelu_compiled_is_the_same(dtype, unchecked):
    """The sigmoid of once the argument, or nan where its cube is infinite."""
    ends = torch.tensor([-1e15, -1e4, 1e4, 1e15])
    x = torch.cat([torch.linspace(-6, 6, 200), ends]).to(dtype)
    results = []
    for function in (gelu_tanh, torch.compile(gelu_tanh)):
        y = function(leaf := x.clone().requires_grad_())
        y[:200].sum().backward()
        results.append((y.detach(), leaf.grad))
    torch.testing.assert_close(*results)


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
        (GatedMLP, 3 * 8 * 16),
        (SwiGLU, 3 * 8 * 16),
    ],
)
def test_parameters_are_those_of_the_formula(make, count):
    """A bias in a gated layer, which no published checkpoint has."""
    assert sum(w.numel() for w in make(8, 16).parameters()) == count


def test_what_writes_to_the_stream_is_called_down():
    """The initialisation finds it by this name."""
    for make in LAYERS:
        layer = make(8, 16)
        assert isinstance(layer.down, nn.Linear)
        assert layer.down.out_features == 8
