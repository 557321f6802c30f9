import pytest
import torch

from scratchlm.evaluation.interpretability.hooks import (
    module_at,
    read,
    replace,
)

PLACES = ["embedding", "blocks.0", "blocks.1.feedforward:in", "norm"]


@torch.no_grad()
def test_reading_changes_nothing(model, tokens):
    """Bit for bit, while it reads and afterwards."""
    before = model(tokens)
    with read(model, PLACES) as kept:
        assert torch.equal(model(tokens), before)
    assert [*kept] == PLACES
    assert torch.equal(model.head(kept["norm"]), before)
    assert torch.equal(model(tokens), before)


@torch.no_grad()
def test_an_input_is_what_the_module_is_given(model, tokens):
    with read(model, ["blocks.1:in", "blocks.0"]) as kept:
        model(tokens)
    assert torch.equal(kept["blocks.1:in"], kept["blocks.0"])


@torch.no_grad()
def test_a_change_reaches_the_logits_and_goes(model, tokens):
    before = model(tokens)
    with replace(model, {"blocks.0": torch.zeros_like}):
        changed = model(tokens)
        assert not torch.allclose(changed, before)
    with replace(model, {"blocks.1:in": torch.zeros_like}):
        assert torch.equal(model(tokens), changed)
    assert torch.equal(model(tokens), before)


def test_hooks_go_when_a_pass_fails(model, tokens):
    """Hooks that stay behind change every later result without a word."""
    with (
        pytest.raises(ValueError, match="returned shape"),
        replace(model, {"blocks.0": lambda x: x[:, :1]}),
    ):
        model(tokens)
    assert not any(each._forward_hooks for each in model.modules())


def test_an_unknown_place_is_named(model):
    with pytest.raises(ValueError, match=r"no place 'blocks\.9'.*embedding"):
        module_at(model, "blocks.9")
    with (
        pytest.raises(ValueError, match="nowhere"),
        read(model, ["blocks.0", "nowhere"]),
    ):
        pass
    assert not any(each._forward_hooks for each in model.modules())
