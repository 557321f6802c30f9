import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from scratchlm.model.experts.experts import MixtureOfExperts, grouped_matmul
from scratchlm.model.experts.kernels.fused_grouped_matmul import (
    fused_grouped_matmul,
)

D = 8


def make(d_ff, matmul=fused_grouped_matmul):
    torch.manual_seed(0)
    return MixtureOfExperts(D, d_ff, n_experts=4, top_k=2, matmul=matmul)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.sampled_from([(8, 4), (3, 8), (8, 5), (1, 1)]),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
@settings(max_examples=40)
def test_it_equals_the_definition(sizes, widths, dtype):
    """A kernel that wants whole steps of 16 bytes, or float32, or no piece
    of length zero."""
    torch.manual_seed(0)
    width, width_out = widths
    x = torch.randn(sum(sizes), width, dtype=dtype, requires_grad=True)
    weights = torch.randn(len(sizes), width_out, width, dtype=dtype)
    weights.requires_grad_()
    ends = torch.tensor(sizes).cumsum(0, dtype=torch.int32)
    ours = fused_grouped_matmul(x, weights, ends)
    naive = grouped_matmul(x, weights, ends)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, naive)
    target = torch.randn_like(ours)
    for wrt in (x, weights):
        ours_grad, naive_grad = (
            torch.autograd.grad(y, wrt, target, retain_graph=True)[0]
            for y in (ours, naive)
        )
        torch.testing.assert_close(ours_grad, naive_grad)


def test_the_kernel_is_used_where_it_can_be(monkeypatch):
    """A condition that quietly sends every call down the slow path."""
    calls = []
    kernel = F.grouped_mm

    def counted(*args, **given):
        calls.append(args[0].dtype)
        return kernel(*args, **given)

    monkeypatch.setattr(F, "grouped_mm", counted)
    layer = make(D)
    x = torch.randn(2, 5, D)
    expected = layer(x)
    assert calls == [torch.float32] * 3
    make(5)(x)
    assert len(calls) == 3
    monkeypatch.delattr(F, "grouped_mm")
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_equal_their_definition(dtype):
    """A kernel that is handed matrices the wrong way round."""
    x, found = torch.randn(2, 5, D).to(dtype), []
    for matmul in (grouped_matmul, fused_grouped_matmul):
        layer = make(16, matmul).to(dtype)
        y = layer(x)
        grads = torch.autograd.grad(y.square().sum(), layer.parameters())
        found.append([y, *grads])
    bound = 1e-5 if dtype == torch.float32 else 0.03
    torch.testing.assert_close(*found, rtol=bound, atol=bound)


def test_autocast_reaches_the_kernel():
    """The kernel is on no list of autocast: it would compute in float32, or
    fail when one operand was cast and the other not."""
    layer = make(16)
    x = torch.randn(2, 5, D)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
        z = layer(x.bfloat16())
    assert y.dtype == z.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), atol=0.03, rtol=0.1)


@pytest.mark.parametrize(
    ("dtype", "whole"), [(torch.bfloat16, True), (torch.float32, False)]
)
def test_compiled_equals_eager(dtype, whole, unchecked):
    """A plan whose sizes depend on the data breaks the graph; a kernel that
    PyTorch runs but cannot trace breaks the program."""
    layer = make(16).to(dtype)
    x = torch.randn(2, 5, D, dtype=dtype)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=whole)
    y = compiled(x)
    torch.testing.assert_close(y, layer(x))
    torch.testing.assert_close(
        *(
            torch.autograd.grad(run(x).square().sum(), layer.parameters())
            for run in (compiled, layer)
        )
    )
