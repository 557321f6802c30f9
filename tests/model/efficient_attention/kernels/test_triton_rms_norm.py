import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

pytest.importorskip("triton")

from scratchlm.model.block.norm import RMSNorm
from scratchlm.model.efficient_attention.kernels.triton_rms_norm import (
    TritonRMSNorm,
    triton_rms_norm,
)


def rms_norm(x, weight, eps):
    """The definition, as a function of its weight."""
    norm = RMSNorm(weight.shape, eps=eps)
    return functional_call(norm, {"weight": weight}, (x,))


def differentiate(function, x, weight):
    x, weight = (each.clone().requires_grad_() for each in (x, weight))
    y = function(x, weight, 1e-5)
    grad = torch.linspace(-1, 1, y.numel()).view_as(y).to(y.dtype)
    return y, *torch.autograd.grad(y, (x, weight), grad)


def check_equal(shape, axes, dtype, rtol):
    """Both sides on the same numbers; runs under the interpreter."""
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=dtype) * 3
    weight = torch.randn(shape[-axes:], dtype=dtype)
    ours = differentiate(triton_rms_norm, x, weight)
    reference = differentiate(rms_norm, x, weight)
    for a, b in zip(ours, reference, strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a, b, rtol=rtol, atol=rtol)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=2), st.integers(1, 70))
def test_equals_the_norm_of_pytorch(interpreted, leading, width):
    """Lanes beyond the width that enter the mean, in either direction."""
    interpreted(check_equal, (*leading, width), 1, torch.float32, 1e-5)


def test_more_rows_than_one_program_sums(interpreted):
    """A weight's gradient that counts the rows of one program alone, or
    rows beyond the last."""
    interpreted(check_equal, (77, 8), 1, torch.float32, 1e-4)
    interpreted(check_equal, (3, 2, 8), 2, torch.float32, 1e-5)


def test_half_precision_is_summed_in_float32(interpreted):
    """A mean square in bfloat16 has two digits, and in float16 no room."""
    interpreted(check_equal, (4, 300), 1, torch.bfloat16, 2**-6)
    interpreted(check_equal, (4, 300), 1, torch.float16, 2**-9)


def check_layout():
    x = torch.randn(6, 5).T
    weight = torch.randn(6)
    torch.testing.assert_close(
        triton_rms_norm(x, weight, 0.1), rms_norm(x, weight, 0.1)
    )
    assert triton_rms_norm(x[:0], weight, 0.1).shape == (0, 6)
    module, reference = TritonRMSNorm(6, eps=0.1), RMSNorm(6, eps=0.1)
    torch.testing.assert_close(module(x), reference(x))


def test_transposed_and_empty(interpreted):
    """Pointers that assume rows side by side; a grid of no programs."""
    interpreted(check_layout)


def test_where_no_kernel_can_run():
    """An error from deep inside the compiler."""
    weight = torch.ones(4)
    with pytest.raises(ValueError, match="TRITON_INTERPRET=1"):
        triton_rms_norm(torch.zeros(2, 4), weight, 0.1)


def test_another_width_is_refused():
    """Twelve numbers in rows of four: a norm across vectors."""
    with pytest.raises(ValueError, match=r"shape \(2, 6\).*make the norm for"):
        triton_rms_norm(torch.zeros(2, 6), torch.ones(4), 0.1)


def check_types():
    with pytest.raises(ValueError, match="float64, and the kernel computes"):
        triton_rms_norm(torch.zeros(2, 4).double(), torch.ones(4), 0.1)


def test_double_precision_is_not_lost_silently(interpreted):
    """A gradient check in float64 that is answered in float32."""
    interpreted(check_types)
