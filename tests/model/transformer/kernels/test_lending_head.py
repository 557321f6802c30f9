"""Logits in memory that is used again, and never while it is in use."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.transformer.head import LinearHead
from scratchlm.model.transformer.kernels import lending_head
from scratchlm.model.transformer.kernels.lending_head import LendingHead


@pytest.fixture
def head(monkeypatch):
    """A small head that lends."""
    monkeypatch.setattr(lending_head, "_LEAST", 0)
    torch.manual_seed(0)
    return LendingHead(8, 64)


@pytest.fixture
def x():
    return torch.randn(2, 5, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_logits_are_the_linear_layers(head, x, dtype):
    """Bytes that are read as numbers of another type or shape."""
    head, x = head.to(dtype), x.to(dtype)
    for rows in (x, x[:1, :3], x[0], x[0, 0]):
        with torch.no_grad():
            logits = head(rows)
        assert logits.data_ptr() % 64 == 0
        torch.testing.assert_close(logits, F.linear(rows, head.weight))


def test_it_equals_the_definition(head, x):
    """A gradient that is lost in memory that is used again."""
    plain = LinearHead(8, 64)
    plain.load_state_dict(head.state_dict())
    assert head.state_dict().keys() == plain.state_dict().keys()
    found = []
    for each in (plain, head):
        leaf = x.clone().requires_grad_()
        logits = each(leaf)
        logits.square().sum().backward()
        found.append([logits, leaf.grad, each.weight.grad])
    torch.testing.assert_close(*found)


@torch.no_grad()
def test_memory_is_used_again_when_nobody_holds_it(head, x):
    """Memory that is never lent twice, or that is lost to a smaller batch."""
    place = head(x).data_ptr()
    assert head(x + 1).data_ptr() == place
    assert head(x[:1]).data_ptr() == place
    assert head(x).data_ptr() == place


@pytest.mark.parametrize(
    "hold",
    [
        lambda logits: logits,
        lambda logits: logits[:, -1],
        lambda logits: logits.numpy()[0],
        torch.from_dlpack,
        lambda logits: logits.untyped_storage(),
    ],
)
@torch.no_grad()
def test_memory_that_is_held_is_left_alone(head, x, hold):
    """Scores that change in the reader's hands."""
    held = hold(head(x))
    before = bytes_of(held)
    again = head(x + 1)
    assert bytes_of(held) == before
    torch.testing.assert_close(again, F.linear(x + 1, head.weight))


def bytes_of(held):
    if isinstance(held, torch.UntypedStorage):
        return bytes(held.tolist())
    return torch.as_tensor(held).contiguous().numpy().tobytes()


def test_threads_get_memory_of_their_own(head, x):
    """Two that ask at once and are lent the same."""
    inputs = [x * i for i in range(200)]
    wanted = [F.linear(each, head.weight).detach() for each in inputs]

    @torch.no_grad()
    def right(pair):
        return torch.allclose(head(pair[0]), pair[1], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, zip(inputs, wanted, strict=True)))


@torch.no_grad()
def test_a_copy_has_memory_of_its_own(head, x):
    """A model that is copied with a block of old scores."""
    place = head(x).data_ptr()
    other = deepcopy(head)
    assert not other._lender._home
    assert torch.equal(other(x), head(x))
    assert other(x).data_ptr() != place


def test_gradients_and_autocast_get_new_memory(head, x):
    """A weight gradient made from scores that were overwritten, or a result
    of the wrong type."""
    head(x).sum().backward()
    assert head.weight.grad is not None
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert head(x).dtype == torch.bfloat16


@torch.no_grad()
def test_small_and_huge_logits_are_not_kept(head, x, monkeypatch):
    """A server that keeps gigabytes because of one long prompt."""
    for name, limit in [("_LEAST", 1 << 25), ("_MOST", 2 * 5 * 64 * 4 - 1)]:
        with monkeypatch.context() as patch:
            patch.setattr(lending_head, name, limit)
            head(x)
        assert not head._lender._home
    head(x)
    assert head._lender._home
