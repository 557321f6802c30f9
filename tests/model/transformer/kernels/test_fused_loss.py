"""The losses in slices and blocks against their definition.

What both have to do is tested beside the definition.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.efficient_attention.live_memory import peak_bytes
from scratchlm.model.transformer.kernels import fused_loss
from scratchlm.model.transformer.kernels.fused_loss import (
    fused_cross_entropy,
    fused_linear_cross_entropy,
)
from scratchlm.model.transformer.loss import (
    cross_entropy,
    linear_cross_entropy,
)


def draw(n_rows, n_tokens, vocab_size, dtype=torch.double):
    torch.manual_seed(n_rows)
    logits = torch.randn(n_rows, n_tokens, vocab_size).to(dtype)
    targets = torch.randint(vocab_size, (n_rows, n_tokens))
    return logits.requires_grad_(), targets


@given(
    st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(1, 9)
)
def test_slices_change_nothing(n_rows, n_tokens, vocab_size, size):
    """A last slice that is short, or a slice of less than one row."""
    logits, targets = draw(n_rows, n_tokens, vocab_size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_loss, "_SLICE", size)
        ours = fused_cross_entropy(logits, targets)
        (grad,) = torch.autograd.grad(ours * 3, logits)
    expected = cross_entropy(logits, targets)
    torch.testing.assert_close(ours, expected)
    (expected,) = torch.autograd.grad(expected * 3, logits)
    torch.testing.assert_close(grad, expected)


def test_gradients_are_right():
    """The hand-written backward, with a target that does not count."""
    logits, targets = draw(2, 3, 5)
    targets[0, 1] = -100
    assert torch.autograd.gradcheck(
        lambda x: fused_cross_entropy(x, targets), [logits]
    )


@pytest.mark.slow  # a compiler of C++ runs
def test_compiled_equals_eager(unchecked):
    """The compiler takes another path through the function."""
    logits, targets = draw(2, 3, 5, torch.float32)
    compiled = torch.compile(fused_cross_entropy, fullgraph=True)
    torch.testing.assert_close(
        compiled(logits, targets), fused_cross_entropy(logits, targets)
    )


def head(n_rows, n_tokens, vocab_size, dtype=torch.double):
    """What a head reads, its weight, and targets."""
    torch.manual_seed(n_rows)
    x = torch.randn(n_rows, n_tokens, 4).to(dtype).requires_grad_()
    weight = torch.randn(vocab_size, 4).to(dtype).requires_grad_()
    targets = torch.randint(vocab_size, (n_rows, n_tokens))
    return x, weight, targets


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 7),
)
def test_blocks_change_nothing(n_rows, n_tokens, vocab_size, size, rows):
    """A last block that is short and shows the logits of the one before, or
    a gradient of the weight that has the last block alone."""
    x, weight, targets = head(n_rows, n_tokens, vocab_size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_loss, "_SLICE", size)
        patch.setattr(fused_loss, "_BLOCK", size)
        patch.setattr(fused_loss, "_BLOCK_ROWS", rows)
        ours = fused_linear_cross_entropy(x, weight, targets)
        grads = torch.autograd.grad(ours * 3, (x, weight))
        with torch.no_grad():
            evaluated = fused_linear_cross_entropy(x, weight, targets)
    expected = linear_cross_entropy(x, weight, targets)
    torch.testing.assert_close([ours, evaluated], [expected, expected])
    torch.testing.assert_close(
        grads, torch.autograd.grad(expected * 3, (x, weight))
    )


def test_gradients_without_logits_are_right():
    """The hand-written backward, with a target that does not count."""
    x, weight, targets = head(2, 3, 5)
    targets[0, 1] = -100
    assert torch.autograd.gradcheck(
        lambda x, w: fused_linear_cross_entropy(x, w, targets), [x, weight]
    )


def test_large_scores_stay_finite_without_logits():
    """exp(1000) is infinite; each block takes its own maximum off first."""
    x = torch.tensor([[1000.0]], requires_grad=True)
    weight = torch.tensor([[1.0], [0.0]], requires_grad=True)
    value = fused_linear_cross_entropy(x, weight, torch.tensor([1]))
    assert value == 1000
    value.backward()
    assert x.grad.tolist() == [[1]]
    assert weight.grad.tolist() == [[1000], [-1000]]


def test_logits_are_never_whole():
    """A block that is kept for the backward, and all of them with it."""
    x, weight, targets = head(8, 512, 1024, torch.float32)
    inputs = x, weight

    def peak(function):
        return peak_bytes(
            lambda: torch.autograd.grad(function(x, weight, targets), inputs)
        )

    whole = targets.numel() * 1024 * 4
    assert peak(linear_cross_entropy) > 2 * whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_loss, "_BLOCK", 1)
        assert peak(fused_linear_cross_entropy) < 0.5 * whole


@pytest.mark.parametrize("how", ["bfloat16", "autocast"])
def test_half_precision_adds_up_blocks_in_float32(how, monkeypatch):
    """Hundreds of blocks added in bfloat16 lose what each of them adds."""
    monkeypatch.setattr(fused_loss, "_BLOCK", 1)
    monkeypatch.setattr(fused_loss, "_BLOCK_ROWS", 8)
    x, weight, targets = head(8, 512, 64, torch.float32)
    expected = torch.autograd.grad(
        linear_cross_entropy(x, weight, targets), (x, weight)
    )
    if how == "bfloat16":
        x, weight = (each.detach().bfloat16() for each in (x, weight))
        x, weight = x.requires_grad_(), weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"):
        ours = fused_linear_cross_entropy(x, weight, targets)
    assert ours.dtype == torch.float32
    grads = torch.autograd.grad(ours, (x, weight))
    assert [each.dtype for each in grads] == [x.dtype, weight.dtype]
    for grad, due in zip(grads, expected, strict=True):
        apart = (grad.float() - due).norm() / due.norm()
        assert apart < 0.02


def test_compiled_without_logits_equals_eager(unchecked):
    """The compiler takes another path through the function."""
    x, weight, targets = head(2, 3, 5, torch.float32)
    compiled = torch.compile(fused_linear_cross_entropy, fullgraph=True)
    torch.testing.assert_close(
        compiled(x, weight, targets), linear_cross_entropy(x, weight, targets)
    )


def test_hostile_targets_are_refused_without_logits():
    """A gather past the end of a row reads the next row."""
    x, weight, targets = head(2, 3, 5)
    with pytest.raises(ValueError, match="from 5 to 5"):
        fused_linear_cross_entropy(x, weight, targets.fill_(5))
