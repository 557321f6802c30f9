"""The norm in one pass against its definition.

What both have to do is tested beside the definition.
"""

from functools import partial
from inspect import unwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call

from scratchlm.model.block.kernels.fused_rms_norm import fused_rms_norm
from scratchlm.model.block.norm import RMSNorm

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


def draw(*shape, dtype=torch.float64):
    made = torch.randn(shape, dtype=torch.float64).to(dtype)
    return made.requires_grad_()


def rms_norm(x, weight, eps):
    """The definition, as a function of its weight."""
    norm = RMSNorm(weight.shape, eps=eps)
    return functional_call(norm, {"weight": weight}, (x,))


def value_and_gradients(norm, x, weight, grad):
    y = norm(x, weight)
    return y, *torch.autograd.grad(y, (x, weight), grad)


@given(SHAPES, st.integers(0, 3), st.sampled_from([1e-6, 0.1]))
def test_it_equals_the_definition(shape, leading, eps):
    """A mean over too few axes, and a gradient that forgets eps."""
    torch.manual_seed(0)
    x, grad = draw(*shape), torch.randn(shape, dtype=torch.float64)
    weight = draw(*shape[min(leading, len(shape) - 1) :])
    torch.testing.assert_close(
        *(
            value_and_gradients(partial(norm, eps=eps), x, weight, grad)
            for norm in (fused_rms_norm, rms_norm)
        )
    )


@pytest.mark.parametrize("shape", [(64,), (4, 16)])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 8e-3)]
)
def test_it_equals_the_definition_in_each_type(shape, dtype, bound):
    """An answer or a gradient in another type, or rounded on the way."""
    torch.manual_seed(0)
    x, weight = draw(3, 5, *shape, dtype=dtype), draw(*shape, dtype=dtype)
    grad = torch.randn(x.shape).to(dtype)
    ours, due = (
        value_and_gradients(partial(norm, eps=1e-6), x, weight, grad)
        for norm in (fused_rms_norm, rms_norm)
    )
    assert [each.dtype for each in ours] == [dtype] * 3
    torch.testing.assert_close(ours, due, rtol=bound, atol=bound)


@pytest.mark.parametrize("n_rows", [3, 1 << 12])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_wider_weight_is_not_rounded(n_rows, compiled):
    """Gemma's 1 + w, kept in float32 beside a bfloat16 stream: 1.003 was 1
    on a few tokens, on a GPU and compiled, and 1.003 elsewhere."""
    torch.manual_seed(0)
    x = draw(n_rows, 64, dtype=torch.bfloat16)
    weight = 1 + 0.003 * draw(64, dtype=torch.float32)
    exact = rms_norm(x.double(), weight.double(), 1e-6).bfloat16()
    norm = unwrap(fused_rms_norm)
    if compiled:
        norm = torch.compile(norm, fullgraph=True, backend="eager")
    with torch.no_grad():
        evaluated = norm(x, weight, 1e-6)
    for y in (evaluated, norm(x, weight, 1e-6)):
        assert (y != exact).double().mean() < 1e-2  # the ties of rounding


@pytest.mark.parametrize("n_rows", [3, 1 << 12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_gradients_it_is_the_same_function(n_rows, dtype):
    """Paths that drift apart: a model that answers otherwise in evaluation
    than in training, on few tokens or on many. Or one that norms in place
    what is not its own."""
    torch.manual_seed(0)
    x, weight = draw(n_rows, 4, 16, dtype=dtype), draw(4, 16, dtype=dtype)
    kept = x.detach().clone()
    with torch.no_grad():
        evaluated = fused_rms_norm(x, weight, 0.1)
    torch.testing.assert_close(
        evaluated, fused_rms_norm(x, weight, 0.1).detach()
    )
    assert torch.equal(x, kept)


def test_strides_do_not_matter():
    """A view of a transposed tensor, or of the gradient of one, read in
    the order of memory."""
    torch.manual_seed(0)
    x, weight = draw(4, 3, 8), draw(8)
    turned = x.detach().transpose(0, 1).contiguous().transpose(0, 1)
    turned.requires_grad_()
    grad = torch.randn(8, 3, 4, dtype=torch.float64).permute(2, 1, 0)
    norm = partial(fused_rms_norm, eps=1e-6)
    torch.testing.assert_close(
        value_and_gradients(norm, turned, weight, grad),
        value_and_gradients(norm, x, weight, grad.contiguous()),
    )


def test_a_second_derivative_is_refused():
    """The inverse is kept as a number, so that a second derivative would
    leave out its part in silence."""
    x, weight = draw(2, 4), draw(4)
    y = fused_rms_norm(x, weight, 1e-6).square().sum()
    (grad,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_one_tensor_is_kept_for_the_backward():
    """The composite keeps the input and the normed input, and in bfloat16
    both in float32: activations of several times the size."""
    kept = []

    def note(tensor):
        kept.append(tensor.numel() * tensor.element_size())
        return tensor

    x, weight = draw(8, 64, dtype=torch.bfloat16), draw(64)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        fused_rms_norm(x, weight, 1e-6)
    assert sum(kept) == 8 * 64 * 2 + 64 * 8 + 8 * 4


def test_compiled_in_one_graph_it_is_equal():
    """An autograd function that breaks the compiler's graph in each
    layer."""
    torch.manual_seed(0)
    x, weight = draw(2, 8), draw(8)
    grad = torch.randn(2, 8, dtype=torch.float64)
    # Without the types that the tests check, which the compiler cannot read.
    bare = torch.compile(
        unwrap(fused_rms_norm), fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(
        value_and_gradients(partial(bare, eps=1e-6), x, weight, grad),
        value_and_gradients(
            partial(fused_rms_norm, eps=1e-6), x, weight, grad
        ),
    )
