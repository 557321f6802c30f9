"""Stages in a row are the model, for each kind of its parts."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.positions.rotary import NoRotation
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.pipeline_parallel import split_layers, split_model

SMALL = TransformerConfig(
    vocab_size=61,
    d_model=32,
    n_layers=5,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=48,
    max_tokens=64,
)
UNTURNED = replace(SMALL, rotary=NoRotation, core=ALiBi)


@given(st.integers(1, 40), st.integers(1, 12))
def test_layers_are_all_there_in_order(n_layers, n_stages):
    """A layer that a rounding leaves out, or a stage without one."""
    if n_stages > n_layers:
        with pytest.raises(ValueError, match=f"give 1 to {n_layers} stages"):
            split_layers(n_layers, n_stages)
        return
    cut = split_layers(n_layers, n_stages)
    assert [i for part in cut for i in part] == [*range(n_layers)]
    sizes = [len(part) for part in cut]
    assert max(sizes) - min(sizes) <= 1
    if n_stages > 1:
        assert sizes[-1] == min(sizes)  # it has the head, too


@pytest.mark.parametrize("n_stages", [0, -1])
def test_no_stages_are_refused(n_stages):
    """A division by nothing."""
    with pytest.raises(ValueError, match=f"n_stages is {n_stages}"):
        split_layers(4, n_stages)


@pytest.mark.parametrize("config", [SMALL, UNTURNED], ids=["turned", "alibi"])
@pytest.mark.parametrize("n_stages", [1, 2, 3, 5])
def test_stages_in_a_row_are_the_model(config, n_stages):
    """Positions that start again in each stage, documents that see each
    other behind the first, a norm that is applied twice."""
    torch.manual_seed(0)
    model = Transformer(config)
    stages = split_model(model, range(n_stages), n_stages)
    tokens = torch.randint(61, (2, 9))
    documents = torch.tensor([[0] * 4 + [1] * 5, [0] * 8 + [1]])
    for packed in (None, documents):
        x = tokens
        for stage in range(n_stages):
            x = stages[stage](x, documents=packed)
        assert x.equal(model.hidden(tokens, documents=packed))
    positions = torch.arange(9).flip(0).expand(2, 9)
    x = tokens
    for stage in range(n_stages):
        x = stages[stage](x, positions=positions)
    assert x.equal(model.hidden(tokens, positions=positions))


def test_names_are_those_of_the_whole_model():
    """Layers that each stage counts from 0: a checkpoint of the second
    stage overwrites that of the first."""
    model = Transformer(SMALL)
    stages = split_model(model, range(3), 3)
    names = [set(stage.state_dict()) for stage in stages.values()]
    assert set.union(*names) == set(model.state_dict())
    assert sum(map(len, names)) == len(model.state_dict())
    assert stages[1].blocks["2"] is model.blocks[2]


def test_who_shares_a_weight():
    """A head whose copy is never summed with the embedding's drifts."""
    tied = Transformer(replace(SMALL, tied=True))
    stages = split_model(tied, range(3), 3)
    shared = [stages[i].shared_weight for i in range(3)]
    table = tied.embedding.tokens.weight
    assert shared[0] is table
    assert shared[1] is None
    assert shared[2] is table
    apart = split_model(Transformer(SMALL), range(3), 3)
    assert [s.shared_weight for s in apart.values()] == [None] * 3
    assert split_model(tied, [0], 1)[0].shared_weight is None


def test_layers_may_be_cut_by_hand():
    """A stage with the head that is too slow can have fewer."""
    model = Transformer(SMALL)
    cut = [range(3), range(3, 5)]
    stages = split_model(model, [1], 2, layers=cut)
    assert [*stages[1].blocks] == ["3", "4"]


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ([range(2), range(3, 5)], "all of 5 in order"),
        ([range(3), range(2, 5)], "all of 5 in order"),
        ([range(5), range(5, 5)], "one or more for each of 2"),
        ([range(5)], "one or more for each of 2"),
    ],
)
def test_layers_that_are_lost_or_twice_are_refused(cut, message):
    """A model that is shorter than its checkpoint, and trains."""
    with pytest.raises(ValueError, match=message):
        split_model(Transformer(SMALL), [0], 2, layers=cut)
