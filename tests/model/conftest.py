"""Small models of every variant, and a cache that grows."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from os import getpid
from pathlib import Path

import jaxtyping
import pytest
import torch

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.block import OutputNorm, PostNorm, SandwichNorm
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.norm import (
    LayerNorm,
    norm_all_heads,
    norm_each_head,
)
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.efficient_attention.tiled_attention import Tiled
from scratchlm.model.embeddings.embedding import (
    LearnedPositions,
    SinusoidalPositions,
)
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.positions.rotary import NoRotation
from scratchlm.model.published.kernel_parts import with_kernels
from scratchlm.model.transformer.head import SoftcappedHead
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

SMALL = TransformerConfig(
    vocab_size=61,
    d_model=32,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=48,
    max_tokens=64,
)
UNTURNED = replace(SMALL, rotary=NoRotation)
WINDOWED = partial(DotProduct, mask=Window(5))
VARIANTS = {
    "rope": SMALL,
    "part of a head turned": replace(SMALL, d_rotary=4),
    "multi-head": replace(SMALL, n_kv_heads=4),
    "multi-query": replace(SMALL, n_kv_heads=1),
    "learned positions": replace(UNTURNED, embedding=LearnedPositions),
    "waves": replace(UNTURNED, embedding=SinusoidalPositions),
    "alibi": replace(UNTURNED, core=ALiBi),
    "no order": UNTURNED,
    "window": replace(SMALL, core=WINDOWED),
    "every second layer has a window": replace(
        SMALL, core=(WINDOWED, DotProduct), n_layers=4
    ),
    "tiles, every second layer with a window": replace(
        SMALL,
        core=(partial(Tiled, tile=4), partial(Tiled, mask=Window(5), tile=4)),
    ),
    "capped, with a window": replace(
        SMALL,
        core=partial(Softcapped, cap=2.0, mask=Window(5)),
        head=partial(SoftcappedHead, cap=3.0),
    ),
    "post-norm": replace(SMALL, block=PostNorm, norm=LayerNorm),
    "output norm": replace(SMALL, block=OutputNorm),
    "sandwich": replace(SMALL, block=SandwichNorm),
    "norm of each head": replace(
        SMALL, attention=partial(Attention, qk_norm=norm_each_head)
    ),
    "norm of all heads": replace(
        SMALL, attention=partial(Attention, qk_norm=norm_all_heads)
    ),
    "MLP and SwiGLU in turn": replace(SMALL, feedforward=(MLP, SwiGLU)),
    "experts": replace(
        SMALL, feedforward=partial(MixtureOfExperts, n_experts=4, top_k=2)
    ),
    "latents": replace(
        SMALL,
        n_kv_heads=4,
        d_rotary=4,
        attention=partial(LatentAttention, d_latent=12, d_rotary=4),
    ),
    "tied": replace(SMALL, tied=True),
    "kernels": with_kernels(SMALL),
    "kernels, a part turned, MLP and experts in turn": with_kernels(
        replace(
            SMALL,
            d_rotary=4,
            feedforward=(
                MLP,
                partial(MixtureOfExperts, n_experts=4, top_k=2),
            ),
            attention=partial(Attention, qk_norm=norm_each_head),
        )
    ),
}


class GrowingLayer:
    """Keys and values of one layer, one piece after another."""

    def __init__(self):
        self.kept = None

    def append(self, k, v):
        if self.kept is not None:
            pairs = zip(self.kept, (k, v), strict=True)
            k, v = (torch.cat(pair, 2) for pair in pairs)
        self.kept = k, v
        return k, v


class GrowingCache:
    """A layer's cache for each layer that asks."""

    def __init__(self, n_layers):
        self.layers = [GrowingLayer() for _ in range(n_layers)]

    @property
    def length(self):
        kept = self.layers[0].kept
        return 0 if kept is None else kept[0].shape[2]

    def __getitem__(self, layer):
        return self.layers[layer]


@pytest.fixture(scope="session")
def grow_cache():
    """Call it with a number of layers: an empty cache that keeps all."""
    return GrowingCache


@pytest.fixture(scope="session")
def small():
    """A configuration of a few thousand parameters."""
    return SMALL


@pytest.fixture(scope="session")
def variants():
    """Small configurations by name, each with one part replaced."""
    return VARIANTS


@pytest.fixture(scope="session", params=VARIANTS.values(), ids=VARIANTS)
def variant(request):
    """Each of the small configurations in turn."""
    return request.param


@pytest.fixture(scope="session")
def build():
    """Call it with a configuration: a model whose every part matters."""
    return _build


@pytest.fixture(scope="session")
def draw():
    """Call it with a configuration and T: rows of random tokens."""
    return _draw


def _build(config):
    # PyTorch's own weights: with GPT-2's small ones, a part that is broken
    # hardly changes the logits.
    torch.manual_seed(0)
    model = Transformer(replace(config, init=lambda model, n_layers: None))
    return model.eval()


def _draw(config, n_tokens, n_rows=2):
    generator = torch.Generator().manual_seed(n_tokens)
    shape = (n_rows, n_tokens)
    return torch.randint(config.vocab_size, shape, generator=generator)


@pytest.fixture
def unchecked():
    """Check no shapes for a while: torch.compile cannot see through it.

    All checked functions are one wrapper to the compiler, which gives up on
    a function that it has compiled eight times.
    """
    torch.compiler.reset()
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def interpreted():
    """Call it with a function of a test file, and arguments: the function
    runs in a process in which Triton interprets its kernels."""
    pytest.importorskip("triton")
    with (
        pytest.MonkeyPatch.context() as patch,
        ProcessPoolExecutor(
            1,
            get_context("spawn"),
            jaxtyping.install_import_hook,
            ("scratchlm", "beartype.beartype"),
        ) as pool,
    ):
        # The process is born at its first task, and Triton looks once.
        patch.setenv("TRITON_INTERPRET", "1")
        patch.syspath_prepend(Path(__file__).parents[2])
        pool.submit(getpid).result()
        patch.undo()
        yield lambda check, *args: pool.submit(check, *args).result()
