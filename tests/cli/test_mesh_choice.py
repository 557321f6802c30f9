"""From what a command says to a mesh that ranks can work on."""

from collections import Counter

import pytest

from scratchlm.cli.mesh_choice import Wanted, choose_job, read_mesh
from scratchlm.recipes.registry import make
from scratchlm.scaling.accounting import search
from scratchlm.scaling.accounting.job import Mesh

TINY = make("tinyworld-tiny")


def test_a_mesh_is_read():
    """An axis that keeps its size of 1."""
    assert read_mesh("dp=2, tp=4") == Mesh(dp=2, tp=4)
    with pytest.raises(ValueError, match="tp is 0"):
        read_mesh("tp=0")


def test_without_a_word_all_share_the_rows():
    """A mesh of one rank, and others that wait for it."""
    job = choose_job(TINY, Wanted(nodes=2, ranks_per_node=2))
    assert job.mesh == Mesh(dp=4)
    assert (job.zero, job.n_micro, job.n_rows) == (0, 1, 8)


def test_parts_of_a_step_are_those_of_a_rank():
    """Micro-batches of all ranks together, of which each gets too few."""
    wanted = Wanted(ranks_per_node=4, mesh="dp=2,pp=2", n_micro=4)
    job = choose_job(TINY, wanted)
    assert (job.n_micro, job.micro_rows) == (4, 1)


def test_without_a_word_a_rank_reads_as_many_rows_as_the_recipe():
    """All rows of a rank at once, for which it has no memory; or a pipeline
    with less than one part for each stage."""
    gpt2 = make("gpt2-124m")
    wanted = Wanted(ranks_per_node=16, mesh="dp=8,tp=2")
    job = choose_job(gpt2, wanted)
    assert (job.n_micro, job.micro_rows) == (4, 16)
    assert job.micro_rows == gpt2.batch_size // gpt2.run.n_micro
    job = choose_job(TINY, Wanted(mesh="pp=2"))
    assert (job.n_micro, job.micro_rows) == (2, 4)


def test_the_planner_chooses_what_ranks_can_do():
    """The fastest plan cuts what Muon needs whole, computes activations
    again, or interleaves stages."""
    job = choose_job(TINY, Wanted(gpu="h100", ranks_per_node=4))
    assert job.mesh.world == 4
    assert (job.zero, job.mesh.tp, job.n_chunks) == (0, 1, 1)
    assert job.recompute == "none"


def test_where_no_plan_can_be_run_it_is_said(monkeypatch):
    """A list that is empty, and an error about its first item."""

    def none(*_):
        return search.Found(plans=(), refused=Counter(), smallest=None)

    monkeypatch.setattr(search, "plans", none)
    with pytest.raises(ValueError, match=r"0 plans fit 2 h100.*--mesh"):
        choose_job(TINY, Wanted(gpu="h100"))
