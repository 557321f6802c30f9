from functools import partial

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
from scratchlm.model.block.kernels.fused_feedforward import (
    FusedGatedMLP,
    FusedMLP,
    FusedSwiGLU,
    fused_gelu_tanh,
    silu_gate,
)

PAIRS = [
    (MLP, FusedMLP),
    (partial(MLP, bias=False), partial(FusedMLP, bias=False)),
    (
        partial(GatedMLP, activation=gelu_tanh),
        partial(FusedGatedMLP, activation=fused_gelu_tanh),
    ),
    (SwiGLU, FusedSwiGLU),
    (partial(SwiGLU, bias=True), partial(FusedSwiGLU, bias=True)),
]
KERNELS = [kernel for _, kernel in PAIRS]


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float64, 1e-12), (torch.bfloat16, 2e-2)]
)
@pytest.mark.parametrize(("make", "fused"), PAIRS)
def test_layers_equal_their_definition(make, fused, dtype, bound):
    """A branch or an activation exchanged, a gradient that a backward by
    hand leaves out, or an answer in another type."""
    torch.manual_seed(0)
    one, other = make(4, 6).to(dtype), fused(4, 6).to(dtype)
    other.load_state_dict(one.state_dict())
    x, grad = torch.randn(2, 3, 5, 4).to(dtype)
    found = []
    for layer in (one, other):
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        y.backward(grad)
        found.append([y, leaf.grad, *(w.grad for w in layer.parameters())])
    assert found[1][0].dtype == dtype
    torch.testing.assert_close(*found, rtol=bound, atol=bound)


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


@pytest.mark.parametrize("make", KERNELS)
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


@pytest.mark.parametrize("make", KERNELS)
@pytest.mark.parametrize("everywhere", [False, True])
def test_what_a_hook_kept_stays(make, everywhere):
    """Bent in its own memory, what a hook kept as the projection would be
    the activation, without a word to whoever studies the model."""
    torch.manual_seed(0)
    layer, x, kept = make(4, 700), torch.randn(3, 150, 4), []
    first = layer.up if isinstance(layer, FusedMLP) else layer.gate
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gelu_compiled_is_the_same(dtype, unchecked):
    """The sigmoid of once the argument, or nan where its cube is infinite."""
    ends = torch.tensor([-1e15, -1e4, 1e4, 1e15])
    x = torch.cat([torch.linspace(-6, 6, 200), ends]).to(dtype)
    results = []
    for function in (gelu_tanh, torch.compile(fused_gelu_tanh)):
        y = function(leaf := x.clone().requires_grad_())
        y[:200].sum().backward()
        results.append((y.detach(), leaf.grad))
    torch.testing.assert_close(*results)
