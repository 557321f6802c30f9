"""Tokens beyond the next one."""

import pytest
import torch

from scratchlm.training.objective import (
    MultiTokenHeads,
    next_token_loss,
    targets_ahead,
    together,
)


def test_targets_move_and_the_last_have_none():
    """Targets that wrap around to the beginning, as torch.roll's do."""
    targets = torch.tensor([[1, 2, 3, -100]])
    assert targets_ahead(targets, 1).tolist() == [[2, 3, -100, -100]]
    assert targets_ahead(targets, 9).tolist() == [[-100] * 4]
    with pytest.raises(ValueError, match="ahead is 0"):
        targets_ahead(targets, 0)


def test_no_target_lies_in_another_document():
    """The last tokens of a packed document learn how the next begins."""
    targets = torch.tensor([[1, 2, 3, 4, 5, -100]])
    documents = torch.tensor([[0, 0, 0, 1, 1, -1]])
    moved = targets_ahead(targets, 1, documents=documents)
    assert moved.tolist() == [[2, 3, -100, 5, -100, -100]]
    moved = targets_ahead(targets, 2, documents=documents)
    assert moved.tolist() == [[3, -100, -100, -100, -100, -100]]


def batch():
    torch.manual_seed(0)
    x, weight = torch.randn(4, 6, 8), torch.randn(11, 8)
    targets = torch.randint(11, (4, 6))
    targets[1, 2:] = -100
    return x, weight.requires_grad_(), targets


def test_the_first_loss_is_the_plain_one():
    """A part of its own before the next token, which stays behind when the
    parts are dropped."""
    x, weight, targets = batch()
    first, *others = MultiTokenHeads(8, 2)(x, weight, targets)
    alone = next_token_loss(x, weight, targets)
    torch.testing.assert_close(first.total, alone.total)
    assert [each.count.item() for each in others] == [16, 12]


def test_no_split_changes_a_loss_or_a_gradient():
    """One count for all offsets: which depends on where rows were cut."""
    x, weight, targets = batch()
    heads = MultiTokenHeads(8, 2)
    learned = (weight, *heads.parameters())
    whole = heads(x, weight, targets)
    due = torch.autograd.grad(sum(each.mean() for each in whole), learned)
    parts = [heads(x[i : i + 1], weight, targets[i : i + 1]) for i in range(4)]
    parts.append(heads(x[:1], weight, torch.full_like(targets[:1], -100)))
    for once, *split in zip(whole, *parts, strict=True):
        torch.testing.assert_close(together(split).mean(), once.mean())
    shares = [
        one.over(all_.count)
        for part in parts
        for one, all_ in zip(part, whole, strict=True)
    ]
    got = torch.autograd.grad(sum(shares), learned)
    torch.testing.assert_close(got, due)


def test_no_heads_are_refused():
    """A run that believes to predict several tokens, and predicts one."""
    with pytest.raises(ValueError, match="n_ahead is 0"):
        MultiTokenHeads(8, 0)
