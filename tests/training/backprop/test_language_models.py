from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scratchlm.training.backprop.autograd import Variable
from scratchlm.training.backprop.functions import cross_entropy, log_softmax
from scratchlm.training.backprop.language_models import (
    Bigram,
    MLPLanguageModel,
    context_windows,
    descend,
)


def test_the_bigram_is_flat_where_counting_ends():
    """A loss below that of the counts, which no table of pairs can have, or
    a gradient that does not vanish there."""
    text = np.array([0, 1, 0, 2, 1, 0, 1, 1, 2, 0, 1])
    counts = np.zeros((3, 3))
    for a, b in pairwise(text):
        counts[a, b] += 1
    share = counts / counts.sum()
    given = counts / counts.sum(1, keepdims=True)
    entropy = -sum(
        share[i] * np.log(given[i]) for i in np.ndindex(3, 3) if counts[i]
    )
    model = Bigram(3)
    model.table.data = np.log(np.maximum(given, 1e-12))
    loss = cross_entropy(model(text[:-1]), text[1:])
    loss.backward()
    assert loss.item() == pytest.approx(entropy, abs=1e-9)
    np.testing.assert_allclose(model.table.grad, 0, atol=1e-9)


def test_training_the_bigram_approaches_the_counts():
    """Gradients of a token's places that overwrite each other."""
    share = np.array([[0.2, 0.1], [0.3, 0.4]])
    model = Bigram(2)
    for _ in range(150):
        loss = -(log_softmax(model.table) * share).sum()
        loss.backward()
        descend(model.parameters(), 5.0)
    given = share / share.sum(1, keepdims=True)
    found = np.exp(log_softmax(model.table).data)
    np.testing.assert_allclose(found, given, atol=1e-5)


def test_the_mlp_equals_torchs_in_each_gradient():
    """A hidden layer that reads the tokens in another order, or an embedding
    whose gradient counts each token once."""
    model = MLPLanguageModel(7, 3, 4, 5, seed=0)
    tokens = np.array([[1, 2, 1], [6, 6, 6], [0, 1, 2]])
    targets = np.array([3, 6, 1])
    loss = cross_entropy(model(tokens), targets)
    loss.backward()
    table, w, b, u, c = (
        torch.tensor(p.data, requires_grad=True) for p in model.parameters()
    )
    rows = F.embedding(torch.tensor(tokens), table).flatten(1)
    logits = torch.tanh(rows @ w + b) @ u + c
    theirs = F.cross_entropy(logits, torch.tensor(targets))
    theirs.backward()
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-6)
    for ours, other in zip(
        model.parameters(), (table, w, b, u, c), strict=True
    ):
        assert ours.grad.dtype == np.float32
        np.testing.assert_allclose(ours.grad, other.grad.numpy(), atol=1e-7)


def test_the_mlp_starts_near_a_guess_and_learns():
    """First weights so large that the first steps go into making them
    smaller."""
    model = MLPLanguageModel(16, 2, 8, 32, seed=0)
    ids = np.tile(np.arange(16), 8)
    tokens, targets = context_windows(ids, 2)
    losses = []
    for _ in range(40):
        loss = cross_entropy(model(tokens), targets)
        loss.backward()
        descend(model.parameters(), 1.0)
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(16), abs=0.1)
    assert losses[-1] < 0.2


def test_a_weight_without_a_gradient_stops_the_step_before_it_begins():
    """Half of the weights moved, and then an error."""
    a, b = (Variable([1.0], requires_grad=True) for _ in range(2))
    (a * a).backward()
    with pytest.raises(ValueError, match=r"shape \(1,\) has no gradient"):
        descend([a, b], 0.1)
    assert a.data.tolist() == [1.0]
    descend([a], 0.1)
    assert a.data.tolist() == [0.8]
    assert a.grad is None


def test_windows_are_followed_by_their_targets():
    """Off by one: a model that is shown the answer."""
    tokens, targets = context_windows(np.array([5, 6, 7, 8]), 2)
    assert tokens.tolist() == [[5, 6], [6, 7]]
    assert targets.tolist() == [7, 8]


@pytest.mark.parametrize("n_tokens", [0, 3, 4])
def test_a_text_without_a_target_is_refused(n_tokens):
    """An empty batch, and a mean over nothing."""
    with pytest.raises(ValueError, match="give a longer text"):
        context_windows(np.array([1, 2, 3]), n_tokens)
