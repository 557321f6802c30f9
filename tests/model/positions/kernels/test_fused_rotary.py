import pytest
import torch

from scratchlm.model.positions.context_extension import YaRN
from scratchlm.model.positions.kernels.fused_rotary import FusedRotary
from scratchlm.model.positions.rotary import Rotary


def vectors(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n", [12, 8])
@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-6), (torch.bfloat16, 3e-2)]
)
def test_it_equals_the_definition(n, dtype, bound):
    """A half that is turned the other way, or axes behind the turn that
    come back otherwise; forward, backward and without gradients."""
    x, grad = (vectors(i, 2, 3, 5, 12).to(dtype) for i in (0, 1))
    found = []
    for make in (Rotary, FusedRotary):
        turn = make(n, 0, scaling=YaRN(4.0, original=64))(torch.arange(5))
        leaf = x.clone().requires_grad_()
        y = turn(leaf)
        with torch.no_grad():
            evaluated = turn(x)
        found.append([y, evaluated, *torch.autograd.grad(y, leaf, grad)])
    assert all(each.dtype == dtype for each in found[1])
    torch.testing.assert_close(*found, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_is_kept_but_the_angles(dtype):
    """A copy of the queries and one of the keys, in each layer."""
    kept = []

    def note(tensor):
        kept.append(tuple(tensor.shape))
        return tensor

    turn = FusedRotary(8, 0)(torch.arange(5))
    x = vectors(0, 2, 3, 5, 8).to(dtype).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        turn(x)
    assert kept == [(5, 8), (5, 8)]


def test_the_backward_of_a_turn_is_the_turn_back():
    """A gradient that is turned forward once more; or that loses the length
    by which YaRN multiplies."""
    x = vectors(0, 2, 3, 5, 8).double().requires_grad_()
    rotary = FusedRotary(8, 0, scaling=YaRN(16.0, original=64))
    turn = rotary(torch.arange(70, 75))
    turn.cos, turn.sin = turn.cos.double(), turn.sin.double()
    assert torch.autograd.gradcheck(turn, x)
    assert torch.autograd.gradgradcheck(turn, x)


def test_a_turn_keeps_the_layout():
    """Heads are a view of the projection; turned into another layout, they
    made PyTorch's kernel answer in one that had to be copied and kept."""
    x = vectors(0, 2, 5, 3, 8).transpose(1, 2)
    for n in (8, 4):
        turned = FusedRotary(n, 0)(torch.arange(5))(x)
        assert turned.stride() == x.stride()


def test_more_axes_than_a_head_has_are_refused():
    """Two tensors that do not fit, deep in the first forward pass."""
    turn = FusedRotary(8, 0)(torch.arange(5))
    with pytest.raises(ValueError, match="turn 8 of 6 axes; lower d_rotary"):
        turn(vectors(0, 5, 6))
