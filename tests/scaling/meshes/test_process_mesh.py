"""Ranks in a grid."""

import pytest
import torch
from torch import distributed as dist

from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.process_mesh import AXES, ProcessMesh


def groups_of(group, sizes):
    mesh = ProcessMesh(sizes, group)
    told = {axis: mesh.ranks(axis) for axis in AXES}
    sums = {}
    for axes in (("tp",), ("dp",), ("pp",), ("dp", "cp"), ("pp", "tp")):
        x = torch.tensor(group.rank())
        dist.all_reduce(x, group=mesh.group(*axes))
        sums[axes] = int(x), sum(mesh.ranks(*axes))
    again = ProcessMesh(sizes, group)
    same = again.group("dp") is mesh.group("dp", "cp") is mesh.group("dp")
    return mesh.at, told, sums, same


def test_neighbours_of_the_innermost_axis_have_neighbouring_ranks(ranks):
    """Tensor parallel over ranks that are apart would talk between nodes."""
    found = ranks(8)(groups_of, Mesh(dp=2, tp=2, pp=2))
    at, told, _, _ = found[5]
    assert at == {"pp": 1, "dp": 0, "edp": 0, "ep": 0, "cp": 0, "tp": 1}
    assert told["tp"] == (4, 5)
    assert told["dp"] == (5, 7)
    assert told["pp"] == (1, 5)
    assert len({tuple(at.items()) for at, *_ in found}) == 8


def test_a_group_has_the_ranks_that_the_grid_says(ranks):
    """A group of other ranks sums gradients of another part of the model."""
    for sizes in (Mesh(dp=2, tp=2, pp=2), Mesh(dp=4, ep=2, cp=2)):
        for _, _, sums, _ in ranks(8)(groups_of, sizes):
            assert all(summed == wanted for summed, wanted in sums.values())


def test_axes_that_have_the_same_ranks_have_one_group(ranks):
    """Each group has sockets and threads of its own."""
    assert all(same for *_, same in ranks(2)(groups_of, Mesh(dp=2)))


def test_experts_are_spread_over_ranks_of_data_parallel(ranks):
    """With ranks of their own for experts, the mesh would need more."""
    found = ranks(8)(groups_of, Mesh(dp=4, ep=2, tp=2))
    at, told, _, _ = found[6]
    assert (at["dp"], at["edp"], at["ep"]) == (3, 1, 1)
    assert told["ep"] == (4, 6)
    assert told["edp"] == (2, 6)
    assert told["dp"] == (0, 2, 4, 6)


def refused(group):
    with pytest.raises(ValueError, match="has 4 ranks, and the group has 2"):
        ProcessMesh(Mesh(dp=2, tp=2), group)
    with pytest.raises(ValueError, match="axis"):
        ProcessMesh(Mesh(dp=2), group).group("data")


def test_a_mesh_that_does_not_fill_the_world_is_refused(ranks):
    """Ranks without a place would wait at the first collective."""
    ranks(2)(refused)
