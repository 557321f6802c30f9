"""Our table in PyTorch's styles, and where the bare styles go wrong."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor.parallel import (
    RowwiseParallel,
    parallelize_module,
)

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.norm import norm_each_head
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.meshes.torch_plan import (
    parallelize,
    placed_for,
    styles,
)
from scratchlm.scaling.tensor_parallel.plan import SEQUENCE_PLAN, Cut

SMALL = TransformerConfig(
    vocab_size=12,
    d_model=8,
    n_layers=1,
    n_heads=2,
    n_kv_heads=2,
    d_head=4,
    d_ff=8,
    max_tokens=8,
    attention=partial(Attention, qk_norm=norm_each_head, bias=True),
    tied=True,
)


def build(config=SMALL):
    torch.manual_seed(0)
    return Transformer(config)


def test_each_cut_has_a_style():
    """A row of the table that PyTorch's engine leaves out."""
    placed = placed_for(build(), 2, sequence=True)
    assert {each.cut for each in placed} == {*Cut}
    for each in placed:
        assert styles(each, inside=False, sequence=True)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (replace(SMALL, n_heads=3, n_kv_heads=3), "n_heads of .* is 3"),
        (replace(SMALL, n_kv_heads=1), "n_kv_heads of .* is 1"),
        (replace(SMALL, d_ff=9), "gate is cut along 9 .* multiple of 2"),
        (replace(SMALL, core=ALiBi), "ALiBi"),
    ],
)
def test_a_model_that_two_ranks_do_not_share_is_refused(config, told):
    """Widths that do not divide: PyTorch takes the parts of an activation
    for equally wide, and fails in the middle of a step, or not at all."""
    with pytest.raises(ValueError, match=told):
        placed_for(build(config), 2, sequence=False)


def cut(group, sequence):
    """The model, cut; and its names of weights."""
    model = build()
    placed = placed_for(model, 2, sequence=sequence)
    mesh = DeviceMesh("cpu", torch.arange(2))
    parallelize([model], placed, mesh, sequence=sequence)
    return model


def tied_with_and_without(group):
    ours, theirs = cut(group, True), build()
    mesh = DeviceMesh("cpu", torch.arange(2))
    for each in placed_for(theirs, 2, sequence=False):
        if each.cut is Cut.VOCABULARY:
            for style in styles(each, inside=False, sequence=False):
                parallelize_module(each.module, mesh, style)
    return [
        model.head.weight is model.embedding.tokens.weight
        for model in (ours, theirs)
    ]


def test_a_tied_weight_stays_one(ranks):
    """parallelize_module makes two of it without a word, each of which gets
    the gradient of one use. The second value fails when it no longer does."""
    assert ranks(2)(tied_with_and_without) == [[True, False]] * 2


def look_up(group):
    mesh = DeviceMesh("cpu", torch.arange(2))
    tokens = torch.tensor([[1, 2, 3], [4, 5, 99]])
    shapes = []
    for layouts in ({}, {"input_layouts": torch_replicate()}):
        table = nn.Embedding(12, 4)
        parallelize_module(table, mesh, RowwiseParallel(**layouts))
        shapes.append(tuple(table(tokens).shape))
    return shapes, table(tokens)[1, 2].tolist()


def torch_replicate():
    from torch.distributed.tensor import Replicate

    return Replicate()


def test_an_embedding_reads_tokens_that_are_whole(ranks):
    """RowwiseParallel takes the tokens for cut along their last axis, as
    fits a linear layer, and returns each row twice as long. And it has zeros
    for a token that is not in the vocabulary, of which a whole table raises:
    so Limits looks first. Fails when PyTorch's defaults change."""
    for shapes, unknown in ranks(2)(look_up):
        assert shapes == [(2, 6, 4), (2, 3, 4)]
        assert unknown == [0.0] * 4
    found = [
        styles(each, inside=False, sequence=False)[0].input_layouts
        for each in placed_for(build(), 2, sequence=False)
        if isinstance(each.module, nn.Embedding)
    ]
    assert found == [(torch_replicate(),)]


def norm_gradient(group):
    model = cut(group, True)
    tokens = torch.arange(8).view(1, 8)
    model(tokens).full_tensor().square().sum().backward()
    grad = model.blocks[0].attention_norm.weight.grad
    return str(grad.placements), grad.to_local(), grad.full_tensor()


def test_a_norm_s_gradient_is_a_summand_until_it_is_summed(ranks):
    """Under SequenceParallel a rank's own numbers are its share: whoever
    clips or saves to_local() trains another norm on each rank."""
    one, other = ranks(2)(norm_gradient)
    assert "Partial" in one[0]
    assert not torch.allclose(one[1], one[2], rtol=0.1)
    torch.testing.assert_close(one[1] + other[1], one[2])


def test_the_table_is_the_one_that_ours_use():
    """A second table, which drifts away from the first."""
    names = {each.name for each in placed_for(build(), 2, sequence=True)}
    assert "blocks.0.attention.query" in names
    assert {"norm", "embedding"} < names
    assert len(names) == sum(
        1 + (".*." in name and name.endswith("*_norm"))
        for name in SEQUENCE_PLAN
    )
