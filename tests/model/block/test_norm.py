from functools import partial
from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call
from torch.nn import functional as F

from scratchlm.model.block.kernels.fused_rms_norm import FusedRMSNorm
from scratchlm.model.block.norm import LayerNorm, RMSNorm

# The definition, and what must do the same in fewer passes.
each_kind = pytest.mark.parametrize("kind", [RMSNorm, FusedRMSNorm])
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


def draw(*shape, dtype=torch.float64):
    made = torch.randn(shape, dtype=torch.float64).to(dtype)
    return made.requires_grad_()


def rms_norm(x, weight, eps, kind=RMSNorm):
    """The module, as a function of its weight."""
    norm = kind(weight.shape, eps=eps)
    return functional_call(norm, {"weight": weight}, (x,))


def rms_norm_naive(x, weight, eps):
    """The formula, one row after another, differentiated by PyTorch."""
    rows = x.reshape(-1, weight.numel())
    mean = torch.stack([(row * row).sum() / len(row) for row in rows])
    normed = rows / (mean + eps).sqrt()[:, None]
    return (normed * weight.flatten()).reshape(x.shape)


def value_and_gradients(norm, x, weight, grad):
    y = norm(x, weight)
    return y, *torch.autograd.grad(y, (x, weight), grad)


@given(SHAPES, st.integers(0, 3), st.sampled_from([1e-6, 0.1]))
def test_rms_norm_equals_the_formula(shape, leading, eps):
    """A mean over too few axes, and a gradient that forgets eps."""
    torch.manual_seed(0)
    x, grad = draw(*shape), torch.randn(shape, dtype=torch.float64)
    weight = draw(*shape[min(leading, len(shape) - 1) :])
    ours = value_and_gradients(partial(rms_norm, eps=eps), x, weight, grad)
    naive = partial(rms_norm_naive, eps=eps)
    torch.testing.assert_close(
        ours, value_and_gradients(naive, x, weight, grad)
    )


@each_kind
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_rms_norm_passes_gradcheck(kind, shape):
    """A backward that is derived for one axis and applied to two."""
    torch.manual_seed(0)
    x, weight = draw(2, 4, *shape), draw(*shape)
    assert torch.autograd.gradcheck(rms_norm, (x, weight, 1e-6, kind))


@pytest.mark.parametrize("shape", [(64,), (4, 16)])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 8e-3)]
)
def test_rms_norm_equals_pytorchs(shape, dtype, bound):
    """An answer in another type, or one that another library's checkpoint
    would not reproduce."""
    torch.manual_seed(0)
    x, weight = draw(3, 5, *shape, dtype=dtype), draw(*shape, dtype=dtype)
    grad = torch.randn(x.shape).to(dtype)

    def reference(x, weight):
        return F.rms_norm(x, shape, weight, 1e-6)

    ours = value_and_gradients(partial(rms_norm, eps=1e-6), x, weight, grad)
    theirs = value_and_gradients(reference, x, weight, grad)
    assert [each.dtype for each in ours] == [dtype] * 3
    torch.testing.assert_close(ours, theirs, rtol=bound, atol=bound)


@each_kind
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(kind, dtype):
    """Squares summed in half precision, which overflow or stop growing;
    and a result that was rounded more than once."""
    torch.manual_seed(0)
    x = (300 * torch.randn(4, 4096)).to(dtype).requires_grad_()
    weight = torch.rand(4096).to(dtype)
    exact = rms_norm_naive(x.double(), weight.double(), 1e-6)
    differs = rms_norm(x, weight, 1e-6, kind) != exact.to(dtype)
    assert differs.double().mean() < 1e-3  # the ties of rounding


@each_kind
def test_weights_may_be_wider_than_the_stream(kind):
    """Mixed precision: float32 weights turned a bfloat16 stream into a
    float32 one when no gradient was asked for."""
    norm, x = kind(8), torch.ones(2, 8, dtype=torch.bfloat16)
    with torch.no_grad():
        assert norm(x).dtype == torch.bfloat16
    y = norm(x)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert norm.weight.grad.dtype == torch.float32


@each_kind
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize(
    ("shape", "wide"),
    [((2, 6), (4,)), ((4,), (2, 4)), ((3, 2, 4), (8,)), ((2, 1), (4,))],
)
def test_another_width_is_refused(kind, shape, wide, grad):
    """Twelve numbers in rows of four: a norm across vectors, and no error
    where gradients are asked for."""
    with (
        torch.set_grad_enabled(grad),
        pytest.raises(ValueError, match=r"the shape \(.*make the norm for"),
    ):
        rms_norm(draw(*shape), draw(*wide), 1e-6, kind)


@each_kind
def test_the_check_of_the_width_can_be_recorded(kind):
    """A check that a compiler, an exporter or a tensor without numbers
    cannot pass."""
    x = torch.ones(3, 2, 4, device="meta")
    assert kind((2, 4)).to("meta")(x).shape == x.shape
    n_rows = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        recorded = torch.export.export(
            kind(8), (torch.ones(3, 8),), dynamic_shapes=({0: n_rows},)
        )
    x = draw(5, 8, dtype=torch.float32)
    torch.testing.assert_close(recorded.module()(x), kind(8)(x))


@pytest.mark.parametrize("norm", [LayerNorm(4), RMSNorm(4)])
def test_a_zero_vector_stays_finite(norm):
    """0 / 0, at the first padded position."""
    x = torch.zeros(1, 4, requires_grad=True)
    y = norm(x)
    y.sum().backward()
    assert torch.equal(y, torch.zeros(1, 4))
    assert x.grad.isfinite().all()


def test_a_wider_weight_is_not_rounded():
    """Gemma's 1 + w, kept in float32 beside a bfloat16 stream."""
    torch.manual_seed(0)
    x = draw(64, 64, dtype=torch.bfloat16)
    weight = 1 + 0.003 * draw(64, dtype=torch.float32)
    exact = rms_norm_naive(x.double(), weight.double(), 1e-6).bfloat16()
    differs = rms_norm(x, weight, 1e-6) != exact
    assert differs.double().mean() < 1e-2  # the ties of rounding


def test_a_second_derivative_is_possible():
    """A definition that keeps a part of the way as a number."""
    x, weight = draw(2, 4), draw(4)
    assert torch.autograd.gradgradcheck(rms_norm, (x, weight, 1e-6))


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_equals_the_formula(bias):
    """The variance with n - 1, or eps added to the deviation."""
    torch.manual_seed(0)
    norm = LayerNorm(5, eps=0.1, bias=bias)
    with torch.no_grad():
        for weight in norm.parameters():
            weight.normal_()
    x = torch.randn(2, 3, 5)
    shift = norm.bias if bias else torch.zeros(5)
    for row, out in zip(x.view(-1, 5), norm(x).view(-1, 5), strict=True):
        numbers = row.tolist()
        mean = sum(numbers) / 5
        variance = sum((a - mean) ** 2 for a in numbers) / 5
        normed = torch.tensor([a - mean for a in numbers])
        normed /= sqrt(variance + 0.1)
        torch.testing.assert_close(out, normed * norm.weight + shift)


@given(st.floats(-10, 10), st.floats(0.1, 100))
def test_what_the_norms_do_not_see(shift, scale):
    """An RMSNorm that takes the mean away, or a LayerNorm that does not."""
    torch.manual_seed(0)
    x = torch.randn(3, 16, dtype=torch.float64)
    centred, plain = (
        norm(16, eps=0.0).double() for norm in (LayerNorm, RMSNorm)
    )
    torch.testing.assert_close(centred(scale * x + shift), centred(x))
    torch.testing.assert_close(plain(scale * x), plain(x))
    if abs(shift) > 0.1:
        assert not torch.allclose(plain(x + shift), plain(x), rtol=1e-3)
