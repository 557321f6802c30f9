from dataclasses import replace
from functools import partial
from math import log

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from scratchlm.model.block.block import (
    OutputNorm,
    PostNorm,
    PreNorm,
    SandwichNorm,
)
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.initialization import initialize
from scratchlm.model.block.norm import LayerNorm, RMSNorm
from scratchlm.model.published.presets import gpt2, tiny
from scratchlm.model.transformer.transformer import Transformer

BLOCKS = [PreNorm, PostNorm, OutputNorm, SandwichNorm]


def matrices(model):
    return {n: w for n, w in model.named_parameters() if w.ndim > 1}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    small = replace(gpt2(), vocab_size=512, d_model=256, n_layers=8, d_ff=512)
    return Transformer(replace(small, n_heads=4, n_kv_heads=4))


def test_each_matrix_has_the_deviation_of_gpt2(model):
    """PyTorch's own default, which shrinks with the width; or the scaling
    by depth applied to every matrix, or to none."""
    for name, weight in matrices(model).items():
        writes = name.endswith(("output.weight", "down.weight"))
        std = 0.02 / (16**0.5 if writes else 1)
        assert weight.std().item() == pytest.approx(std, rel=0.02), name


def test_shifts_are_zero_and_norms_are_one(model):
    """Norms drawn like matrices silence the layers that they feed."""
    for module in model.modules():
        if isinstance(module, LayerNorm):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()
        elif isinstance(module, nn.Linear) and module.bias is not None:
            assert module.bias.eq(0).all()


def test_norms_keep_what_they_were_made_with():
    """A norm that starts at another value than 1, overwritten."""
    norm = nn.Sequential(RMSNorm((2, 3)))
    nn.init.constant_(norm[0].weight, 0.5)
    initialize(norm, 1)
    assert norm[0].weight.eq(0.5).all()


def test_stacked_writers_are_found_by_their_own_name():
    """A mixture of experts keeps its matrices in one parameter `down`,
    which is no module."""

    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Parameter(torch.empty(4, 64, 64))
            self.down = nn.Parameter(torch.empty(4, 64, 64))

    torch.manual_seed(0)
    experts = Experts()
    initialize(experts, 8, std=0.1)
    assert experts.up.std().item() == pytest.approx(0.1, rel=0.05)
    assert experts.down.std().item() == pytest.approx(0.025, rel=0.05)


def test_equal_seeds_draw_equal_weights():
    """A generator of its own, which no seed reaches."""
    drawn = []
    for seed in [0, 0, 1]:
        torch.manual_seed(seed)
        drawn.append(Transformer(tiny(64)).head.weight)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
@pytest.mark.parametrize("feedforward", [MLP, SwiGLU])
def test_the_first_loss_is_that_of_a_guess(block, norm, feedforward):
    """Logits that are large before anything is learnt: the first hundred
    steps only take them back."""
    torch.manual_seed(0)
    config = replace(
        tiny(64), n_layers=6, block=block, norm=norm, feedforward=feedforward
    )
    tokens = torch.randint(config.vocab_size, (4, 65))
    with torch.no_grad():
        logits = Transformer(config)(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(log(config.vocab_size), rel=0.02)


def stream_growth(n_layers, depth_of_init):
    """How much larger the stream is behind the last block than behind the
    embedding, in size."""
    torch.manual_seed(0)
    init = partial(initialize, std=0.2)
    config = replace(
        tiny(64),
        n_layers=n_layers,
        norm=LayerNorm,
        init=lambda model, n_layers: init(model, depth_of_init or n_layers),
    )
    model = Transformer(config)
    x = model.embedding(torch.arange(128)[None], torch.arange(128))
    turn = model.rotary(torch.arange(128))
    y = x
    with torch.no_grad():
        for block in model.blocks:
            y = block(y, turn)
    return (y.std() / x.std()).item()


def test_scaled_by_depth_the_stream_stays_bounded():
    """Writers of full size: the sum over the layers grows with their
    number, so that a recipe for a shallow model fails for a deep one."""
    scaled = [stream_growth(n, None) for n in (4, 48)]
    plain = [stream_growth(n, 1) for n in (4, 48)]
    assert scaled[1] < 1.3 * scaled[0]
    assert plain[1] > 2.5 * plain[0]
