"""Widths that behave alike."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.block import initialize
from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer
from scratchlm.training.optimizers import adamw
from scratchlm.training.scaling_laws import (
    coordinate_check,
    multipliers,
    mup_adamw,
    mup_initialize,
    sorted_parameters,
)

BASE, STD, RATE = 32, 0.1, 1e-2


def config(d_model, init):
    return replace(
        tiny(64, vocab_size=64),
        d_model=d_model,
        n_layers=2,
        n_heads=d_model // 16,
        n_kv_heads=d_model // 16,
        d_head=16,
        d_ff=2 * d_model,
        max_tokens=16,
        tied=False,
        init=init,
    )


PLAIN = partial(initialize, std=STD)
MUP = partial(mup_initialize, base=BASE, std=STD)


def made(d_model, init, seed=0):
    torch.manual_seed(seed)
    return Transformer(config(d_model, init))


def losses(model, steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(64, (4, 17), generator=generator)
    for _ in range(steps):
        yield lambda: F.cross_entropy(
            model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten()
        )


def test_nothing_changes_at_the_base_width():
    """A model at the base that is not the one whose rate was tuned."""
    assert set(multipliers(BASE, BASE).values()) == {(1.0, 1.0)}
    ours, plain = made(BASE, MUP), made(BASE, PLAIN)
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)
    optimizers = (
        mup_adamw(ours, lr=RATE, base=BASE, weight_decay=0.1),
        adamw(plain, lr=RATE, weight_decay=0.1),
    )
    for model, optimizer in zip((ours, plain), optimizers, strict=True):
        coordinate_check(model, optimizer, losses(model, 3))
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_each_kind_has_its_own_factors():
    """The head treated as a matrix, whose deviation shrinks by the root."""
    factors = multipliers(128, 32)
    assert factors["matrices"] == (0.5, 0.25)
    assert factors["head"] == (0.25, 0.25)
    assert factors["tables"] == factors["vectors"] == (1.0, 1.0)


def test_first_weights_and_rates_follow_the_factors():
    """A factor that is applied to the wrong group, or twice."""
    wide, plain = made(128, MUP), made(128, PLAIN)
    pairs = zip(
        sorted_parameters(wide).items(),
        sorted_parameters(plain).values(),
        strict=True,
    )
    factors = multipliers(128, BASE)
    for (name, ours), theirs in pairs:
        for a, b in zip(ours, theirs, strict=True):
            assert torch.allclose(a, b * factors[name].deviation)
    optimizer = mup_adamw(wide, lr=RATE, base=BASE, weight_decay=0.1)
    held = {
        id(p): group
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert len(held) == len(list(wide.parameters()))
    for name, parameters in sorted_parameters(wide).items():
        for p in parameters:
            group = held[id(p)]
            assert group["lr"] == pytest.approx(RATE * factors[name].rate)
            removed = group["lr"] * group["weight_decay"]
            right = 0.0 if name == "vectors" else RATE * 0.1
            assert removed == pytest.approx(right)


def sizes_after(steps, d_model, mup):
    sizes = []
    for seed in range(3):
        model = made(d_model, MUP if mup else PLAIN, seed)
        optimizer = (
            mup_adamw(model, lr=RATE, base=BASE)
            if mup
            else adamw(model, lr=RATE, weight_decay=0.0)
        )
        sizes.append(coordinate_check(model, optimizer, losses(model, steps)))
    return {
        name: sum(run[-1][name] for run in sizes) / len(sizes)
        for name in sizes[0][-1]
    }


def test_activations_keep_their_size_at_every_width():
    """A rate that is not divided: in the standard parametrization the logits
    of a model eight times as wide are several times as large after a few
    steps."""
    narrow, wide = (sizes_after(5, width, mup=True) for width in (32, 256))
    for name in narrow:
        assert 0.5 < wide[name] / narrow[name] < 2, name
    narrow, wide = (sizes_after(5, width, mup=False) for width in (32, 256))
    assert wide["blocks.1"] > 3 * narrow["blocks.1"]


def test_a_check_watches_each_part_and_takes_its_hooks_away():
    """Hooks that stay slow every later step."""
    model = made(32, PLAIN)
    optimizer = adamw(model, lr=RATE)
    history = coordinate_check(model, optimizer, losses(model, 2))
    names = {"embedding", "blocks.0", "blocks.1", "norm", "head"}
    assert [set(step) for step in history] == [names, names]
    assert history[0] != history[1]
    assert not any(m._forward_hooks for m in model.modules())


def test_what_has_no_rate_is_refused():
    """A tied head, which silently takes the rate of the embedding."""
    tied = Transformer(replace(config(32, PLAIN), tied=True))
    with pytest.raises(ValueError, match="tied=False"):
        mup_adamw(tied, lr=RATE, base=BASE)
    with pytest.raises(ValueError, match="base is 0"):
        multipliers(32, 0)
