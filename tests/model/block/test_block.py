import pytest
import torch
from torch import nn

from scratchlm.model.attention.documents import Documents
from scratchlm.model.block.block import (
    OutputNorm,
    PostNorm,
    PreNorm,
    SandwichNorm,
)
from scratchlm.model.block.norm import LayerNorm


class Attend(nn.Module):
    """Attention's place: scales, and notes what it was called with."""

    def forward(self, x, *given):
        self.seen = given
        return 3 * x + 1


class Feed(nn.Module):
    def forward(self, x):
        return 5 * x - 2


class Norm(nn.Module):
    """A norm's place. Each is another map, so that none can be swapped."""

    made = 0

    def __init__(self):
        super().__init__()
        Norm.made += 1
        self.scale = 1 + Norm.made / 8

    def forward(self, x):
        return torch.tanh(self.scale * x)


PACKED = Documents.of(torch.tensor([[0, 0, 1], [0, 1, -1]]))
BLOCKS = [PreNorm, PostNorm, OutputNorm, SandwichNorm]


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(2, 3, 4)


def pre(x, norms, attend, feed):
    x = x + attend(norms[0](x))
    return x + feed(norms[1](x))


def post(x, norms, attend, feed):
    x = norms[0](x + attend(x))
    return norms[1](x + feed(x))


def output(x, norms, attend, feed):
    x = x + norms[0](attend(x))
    return x + norms[1](feed(x))


def sandwich(x, norms, attend, feed):
    x = x + norms[2](attend(norms[0](x)))
    return x + norms[3](feed(norms[1](x)))


@pytest.mark.parametrize(
    ("make", "formula"),
    list(zip(BLOCKS, [pre, post, output, sandwich], strict=True)),
)
def test_blocks_equal_their_formula(make, formula, x):
    """The norm of one layer used for the other, a layer that reads what is
    not normalised, or an addition from before it: all of them train."""
    block = make(Attend(), Feed(), Norm)
    norms = [
        getattr(block, name)
        for name in (
            *("attention_norm", "feedforward_norm"),
            *("attention_out_norm", "feedforward_out_norm"),
        )
        if hasattr(block, name)
    ]
    expected = formula(x, norms, lambda x: 3 * x + 1, Feed())
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("make", BLOCKS)
def test_what_attention_needs_reaches_it(make, x):
    """A block that drops the cache answers each token as if it were the
    first, and one that drops the documents reads its neighbour's."""

    class Cache:
        def append(self, k, v):
            return k, v

    def turn(x):
        return x

    block, given = make(Attend(), Feed(), Norm), (turn, Cache(), PACKED)
    block(x, *given)
    assert block.attention.seen == given


@pytest.mark.parametrize("make", BLOCKS)
def test_each_place_has_its_own_norm(make):
    """One norm made once and shared by all places has one weight where a
    checkpoint has two or four."""
    block = make(Attend(), Feed(), lambda: LayerNorm(4))
    norms = [m for m in block.modules() if isinstance(m, LayerNorm)]
    assert len(norms) == (4 if make is SandwichNorm else 2)


@pytest.mark.parametrize("make", [PreNorm, OutputNorm, SandwichNorm])
def test_the_stream_passes_untouched(make, x):
    """A norm on the stream itself: the identity from the embedding to the
    head is gone, and with it the gradient of the first layers."""

    class Silent(nn.Module):
        def forward(self, x, *rest):
            return 0 * x

    block = make(Silent(), Silent(), Norm)
    assert torch.equal(block(x), x)
    moved = PostNorm(Silent(), Silent(), Norm)(x)
    assert not torch.allclose(moved, x)
