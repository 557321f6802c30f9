"""Terms in blocks against their definition."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.efficient_attention import peak_bytes
from scratchlm.training.objective import (
    Smoothed,
    SumOf,
    ZLoss,
    chunked_term_loss,
    surprise,
    term_loss,
)

TERMS = {
    "surprise": surprise,
    "z-loss": ZLoss(0.3),
    "smoothed": Smoothed(0.2),
    "several": SumOf((Smoothed(0.1), ZLoss(0.01))),
}
each_term = pytest.mark.parametrize("term", TERMS.values(), ids=TERMS)


def draw(n_rows, n_tokens, vocab_size, dtype=torch.double):
    torch.manual_seed(n_rows)
    x = torch.randn(n_rows, n_tokens, 4).to(dtype).requires_grad_()
    weight = torch.randn(vocab_size, 4).to(dtype).requires_grad_()
    return x, weight, torch.randint(vocab_size, (n_rows, n_tokens))


@each_term
@given(rows=st.integers(1, 3), tokens=st.integers(1, 5), n=st.integers(1, 7))
def test_blocks_change_nothing(term, rows, tokens, n):
    """A last block that is short, or a gradient of one block alone."""
    x, weight, targets = draw(rows, tokens, 6)
    targets[0, 0] = -100
    whole = term_loss(x, weight, targets, term)
    blocks = chunked_term_loss(x, weight, targets, term, n_rows=n)
    with torch.no_grad():
        evaluated = chunked_term_loss(x, weight, targets, term, n_rows=n)
    torch.testing.assert_close(blocks.total, whole.total)
    torch.testing.assert_close(evaluated.total, whole.total.detach())
    assert blocks.count == whole.count == evaluated.count
    torch.testing.assert_close(
        torch.autograd.grad(blocks.total * 3, (x, weight)),
        torch.autograd.grad(whole.total * 3, (x, weight)),
    )


def test_logits_are_never_whole():
    """A block that autograd keeps, and all of them with it."""
    x, weight, targets = draw(4, 512, 1024, torch.float32)

    def peak(way, **settings):
        def run():
            loss = way(x, weight, targets, TERMS["several"], **settings)
            return torch.autograd.grad(loss.total, (x, weight))

        return peak_bytes(run)

    whole = targets.numel() * 1024 * 4
    assert peak(term_loss) > 2 * whole
    assert peak(chunked_term_loss, n_rows=64) < 0.3 * whole


@pytest.mark.parametrize("how", ["bfloat16", "autocast"])
def test_half_precision_is_summed_in_float32(how):
    """A sum of thousands of nats in bfloat16 stops growing."""
    x, weight, targets = draw(8, 512, 64, torch.float32)
    due = term_loss(x, weight, targets, surprise).total.item()
    if how == "bfloat16":
        x, weight = (e.detach().bfloat16() for e in (x, weight))
        x, weight = x.requires_grad_(), weight.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"):
        loss = chunked_term_loss(x, weight, targets, surprise, n_rows=16)
    assert loss.total.dtype == torch.float32
    assert loss.total.item() == pytest.approx(due, rel=5e-3)
    grads = torch.autograd.grad(loss.total, (x, weight))
    assert [each.dtype for each in grads] == [x.dtype, weight.dtype]


def test_blocks_of_nothing_are_refused():
    """A block of no rows, and a loop without end."""
    x, weight, targets = draw(1, 2, 6)
    with pytest.raises(ValueError, match="n_rows is 0"):
        chunked_term_loss(x, weight, targets, surprise, n_rows=0)
