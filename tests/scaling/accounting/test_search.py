"""The search: everything that fits, and why the rest does not."""

from dataclasses import replace
from itertools import pairwise

import pytest

from scratchlm.scaling.accounting import (
    Job,
    Mesh,
    cluster,
    gpt,
    meshes,
    named,
    plan,
    plans,
)

BASE = Job(model=named("llama3-8b"), mesh=Mesh(), n_rows=32, n_tokens=8192)
NODE = cluster("h100", 8)


@pytest.fixture(scope="module")
def found():
    return plans(BASE, NODE)


def test_every_mesh_fills_the_cluster():
    """A mesh that leaves chips idle, or that is listed twice."""
    listed = list(meshes(BASE.model, cluster("h100", 48), 8192))
    assert {mesh.world for mesh in listed} == {48}
    assert len({str(mesh) for mesh in listed}) == len(listed)
    assert all(mesh.tp <= 8 and mesh.ep == 1 for mesh in listed)
    spread = meshes(named("mixtral-8x7b"), NODE, 4096)
    assert any(mesh.ep == 8 for mesh in spread)


def test_plans_are_ordered_and_fit(found):
    """The slowest first, or a plan that runs out of memory."""
    seconds = [each.seconds for each in found.plans]
    for early, late in pairwise(seconds):
        assert early < 1.02 * late
    assert all(each.fits for each in found.plans)
    assert found.best() is found.plans[0]
    # Equally fast, and nothing but data parallel.
    assert str(found.best().job.mesh) == "dp 8"


def test_no_plan_is_missed(found):
    """A search that prunes what would have won."""
    fastest = min(each.seconds for each in found.plans)
    for zero in (1, 2, 3):
        for recompute in ("none", "full"):
            job = replace(
                BASE, mesh=Mesh(dp=8), zero=zero, recompute=recompute
            )
            tried = plan(job, NODE)
            assert tried.seconds >= fastest or not tried.fits


def test_what_is_refused_is_counted_by_its_reason(found):
    """Plans that vanish without a word."""
    assert found.refused["memory"] > 0
    assert found.refused["stages"] > 0
    meshes_left = {each.job.mesh for each in found.plans}
    assert len(found.by_mesh()) == len(meshes_left)


def test_what_does_not_fit_anywhere_says_by_how_much():
    """An empty list instead of advice."""
    huge = replace(BASE, model=named("llama3-405b"))
    with pytest.raises(ValueError, match=r"smallest needs \d+ GB of the 80"):
        plans(huge, NODE).best()


def test_numbers_that_share_no_divisor():
    """A remedy about memory where the batch is the trouble."""
    odd = replace(BASE, model=gpt("x", 7, 330, 11), n_rows=7, n_tokens=77)
    with pytest.raises(ValueError, match="more divisors in common"):
        plans(odd, cluster("h100", 16)).best()
