"""The table of cuts: what it names, and what it must not leave out."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.tensor_parallel.plan import (
    PLAN,
    SEQUENCE_PLAN,
    Cut,
    place,
)

CONFIG = TransformerConfig(
    vocab_size=8,
    d_model=4,
    n_layers=2,
    n_heads=2,
    n_kv_heads=1,
    d_head=2,
    d_ff=6,
    max_tokens=8,
    init=lambda model, n_layers: None,
)


def cuts(plan, model=None):
    placed = place(model or Transformer(CONFIG), plan)
    return {each.name: each.cut for each in placed}


def test_every_layer_is_cut_alike():
    """The star reaches one digit: layer 10 is left whole."""
    model = Transformer(replace(CONFIG, n_layers=11))
    found = cuts(PLAN, model)
    for layer in range(11):
        assert found[f"blocks.{layer}.attention.query"] == Cut.ROWS
        assert found[f"blocks.{layer}.feedforward.down"] == Cut.COLUMNS
    assert len(found) == 11 * 11 + 2


def test_a_star_stands_for_one_part_of_a_name():
    """A rule for the blocks' norms reaches a norm inside of attention."""
    model = nn.ModuleDict(
        {"blocks": nn.ModuleList([nn.ModuleDict({"inner": nn.ModuleDict(
            {"q_norm": nn.LayerNorm(2)}), "a_norm": nn.LayerNorm(2)})])}
    )  # fmt: skip
    found = cuts({"blocks.*.*_norm": Cut.SUMMED}, model)
    assert [*found] == ["blocks.0.a_norm"]


def test_all_weights_of_a_layer_are_told_apart():
    """A matrix that the plan forgot stays whole on each rank."""
    model = Transformer(CONFIG)
    whole = {"norm.weight"} | {
        f"blocks.{i}.{part}_norm.weight"
        for i in range(2)
        for part in ("attention", "feedforward")
    }
    cut = {n for n, c in cuts(PLAN, model).items() if c is not Cut.REGION}
    for name, _ in model.named_parameters():
        assert (name.rpartition(".")[0] in cut) != (name in whole), name


def test_where_positions_are_cut_the_norms_have_a_rule():
    """Norms see some of the positions, so their gradients are shares."""
    found = cuts(SEQUENCE_PLAN)
    assert found["blocks.1.feedforward_norm"] == Cut.SUMMED
    assert found["norm"] == Cut.JOINED
    assert found["embedding"] == Cut.SPLIT


def test_a_weight_in_a_region_without_a_rule_is_refused():
    """Its gradient would be one rank's share, and nobody would see it."""
    model = Transformer(CONFIG)
    model.blocks[1].attention.gain = nn.Parameter(torch.ones(()))
    with pytest.raises(
        ValueError, match=r"no rule for blocks.1.attention.gain"
    ):
        place(model, PLAN)


def test_a_name_that_fits_nothing_is_refused():
    """A typing error in the plan leaves a layer whole, without a word."""
    with pytest.raises(ValueError, match=r"names haed.*embedding, rotary"):
        place(Transformer(CONFIG), {"haed": Cut.VOCABULARY})
