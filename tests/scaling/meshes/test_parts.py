"""Which part of a parameter a rank has."""

import torch
from torch import nn

from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.parts import Cut, Parts, first_names
from scratchlm.scaling.meshes.process_mesh import ProcessMesh

SIZES = Mesh(dp=2, ep=2, tp=2)
WHOLE = (4, 5, 3)


def look(group):
    mesh = ProcessMesh(SIZES, group)
    parts = Parts(
        module=nn.Module(),
        mesh=mesh,
        cuts={
            "expert": (
                Cut(axis="ep", dim=0, n=4),
                Cut(axis="tp", dim=1, n=5),
            ),
            "router": (),
        },
        copies=frozenset({"head"}),
        firsts={},
    )
    whole = torch.arange(60).view(WHOLE)
    box = parts.box("expert", (2, 3 - mesh.at["tp"], 3))
    mine = whole[box].clone()
    return {
        "shape": parts.shape("expert", mine.shape),
        "joined": parts.join("expert", mine),
        "box": [(each.start, each.stop) for each in box],
        "counts": [parts.counts(name) for name in ("expert", "router")],
        "turns": [parts.writes("router", turn) for turn in range(4)],
        "copy": parts.counts("head"),
        "replicated": parts.join("router", torch.tensor([1.0])),
    }


def test_parts_of_two_axes_make_the_whole(ranks):
    """A part that is put where another rank's belongs, which has the same
    shape: every checkpoint is whole, and wrong."""
    told = ranks(4)(look)
    whole = torch.arange(60).view(WHOLE)
    for each in told:
        assert each["shape"] == WHOLE
        assert torch.equal(each["joined"], whole)
        assert each["replicated"] == 1.0
    assert len({tuple(each["box"]) for each in told}) == 4


def test_each_number_counts_on_one_rank(ranks):
    """A norm in which what all ranks hold is added up four times."""
    told = ranks(4)(look)
    assert [each["counts"][0] for each in told] == [True] * 4
    assert [each["counts"][1] for each in told] == [True] + [False] * 3
    assert [sum(each["turns"]) for each in told] == [1] * 4
    assert not any(each["copy"] for each in told)


def test_a_tied_weight_has_the_name_that_comes_first():
    """A checkpoint in which a head is missing, since it has another name."""
    model = nn.Module()
    model.table = nn.Embedding(3, 2)
    model.head = nn.Linear(2, 3, bias=False)
    model.head.weight = model.table.weight
    assert first_names(model) == {
        "table.weight": "table.weight",
        "head.weight": "table.weight",
    }
