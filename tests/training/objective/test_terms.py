"""Terms of the loss against torch and against their formulas."""

import pytest
import torch
from torch.nn import functional as F

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


@pytest.mark.parametrize("amount", [0.0, 0.1, 1.0])
def test_smoothing_is_torch_s(amount):
    """The target's share taken off twice: it is among the tokens alike."""
    logits = torch.randn(5, 9).double()
    targets = torch.randint(9, (5,))
    theirs = F.cross_entropy(
        logits, targets, label_smoothing=amount, reduction="none"
    )
    torch.testing.assert_close(Smoothed(amount)(logits, targets), theirs)


def test_surprise_is_torch_s_and_stays_finite():
    """exp(1000) is infinite, and the logarithm of exp(-1000) too."""
    logits = torch.tensor([[1000.0, 0.0], [-1000.0, 0.0]])
    targets = torch.tensor([1, 0])
    assert surprise(logits, targets).tolist() == [1000, 1000]
    torch.testing.assert_close(
        surprise(logits, targets),
        F.cross_entropy(logits, targets, reduction="none"),
    )


def test_z_loss_pulls_the_normaliser_towards_one():
    """Without the square, or of probabilities, it pulls without end."""
    logits = torch.tensor([[1.0, 2.0]], requires_grad=True)
    targets = torch.tensor([0])
    norm = logits.detach().logsumexp(-1)
    value = ZLoss(0.5)(logits, targets)
    torch.testing.assert_close(value.detach(), 0.5 * norm**2)
    (grad,) = torch.autograd.grad(value.sum(), logits)
    torch.testing.assert_close(grad, norm * logits.detach().softmax(-1))
    assert ZLoss(0.5)(logits - norm, targets).item() < 1e-12


@each_term
def test_nothing_to_predict_teaches_nothing(term):
    """A term that is a mean inside, and nan for a shard of padding."""
    x, weight, targets = draw(2, 3, 6)
    targets.fill_(-100)
    for way in [term_loss, chunked_term_loss]:
        loss = way(x, weight, targets, term)
        assert (loss.total.item(), loss.count.item()) == (0, 0)
        for grad in torch.autograd.grad(loss.over(5), (x, weight)):
            assert (grad == 0).all()


def test_impossible_settings_are_refused():
    """A weight below zero rewards a normaliser without bound."""
    with pytest.raises(ValueError, match="weight is -1"):
        ZLoss(-1.0)
    with pytest.raises(ValueError, match=r"amount is 1\.5"):
        Smoothed(1.5)
    x, weight, targets = draw(1, 2, 6)
    with pytest.raises(ValueError, match="from 6 to 6"):
        term_loss(x, weight, targets.fill_(6), surprise)
