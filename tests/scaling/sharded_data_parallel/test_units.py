"""Which parameters are gathered together, and who owns what of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scratchlm.scaling.sharded_data_parallel.units import Unit, plan_units

SHAPES = st.lists(
    st.lists(st.integers(0, 4), max_size=2), min_size=1, max_size=5
)


def made(shapes):
    at = 1.0
    for shape in shapes:
        p = torch.zeros(shape)
        p.view(-1).copy_(torch.arange(p.numel()) + at)
        at += p.numel()
        yield nn.Parameter(p)


def owned(group, shapes, dtype, frees):
    """This rank's numbers of each parameter, and all of them gathered."""
    parameters = list(made(shapes))
    unit = Unit(
        parameters,
        group,
        dtype=dtype,
        reduce_dtype=torch.float32,
        frees=frees,
    )
    pieces = [p.detach().clone() for p in parameters]
    unit.gather()
    whole = [p.detach().float().clone() for p in parameters]
    unit.free()
    hidden = [p.shape for p in parameters]
    return pieces, whole, hidden, unit.full.untyped_storage().nbytes()


@settings(max_examples=40)
@given(SHAPES, st.booleans(), st.booleans())
def test_every_number_is_on_one_rank(ranks, shapes, half, frees):
    """A number that two ranks move, or none; padding that is taken for a
    parameter; an empty or 0-d parameter, and fewer numbers than ranks."""
    dtype = torch.bfloat16 if half else torch.float32
    found = ranks(3)(owned, shapes, dtype, frees)
    for index, p in enumerate(made(shapes)):
        pieces = torch.cat([pieces[index] for pieces, *_ in found])
        assert torch.equal(pieces, p.detach().flatten())
        for _, whole, hidden, _ in found:
            assert torch.equal(whole[index], p.detach())
            assert len(hidden[index]) == 1
    n_numbers = sum(p.numel() for p in made(shapes))
    for *_, n_bytes in found:
        assert (n_bytes == 0) == (frees or n_numbers == 0)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Linear(2, 2), nn.Linear(2, 2)
        self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.blocks[1].weight = self.table.weight
        self.blocks[2].bias = self.blocks[0].bias


def test_a_shared_weight_belongs_to_the_whole_pass():
    """A weight that is freed with one module while another still uses it, or
    that has two masters which drift apart."""
    model = Shared()
    plan = plan_units(model, list(model.blocks))
    names = {id(p): name for name, p in model.named_parameters()}
    found = [[names[id(p)] for p in some] for some in plan]
    assert found == [
        [
            *("table.weight", "table.bias", "last.weight", "last.bias"),
            "blocks.0.bias",
        ],
        ["blocks.0.weight"],
        ["blocks.1.bias"],
        ["blocks.2.weight"],
    ]


def test_modules_that_contain_each_other_are_refused():
    """A parameter in two units."""
    model = Shared()
    with pytest.raises(ValueError, match="Linear is in two"):
        plan_units(model, [model.blocks, model.blocks[0]])
