"""A run on ranks: resumed, ended, refused."""

import io
import os
import signal
import time
from contextlib import redirect_stderr
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from scratchlm.model.transformer.transformer import TransformerConfig
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.launching import worker
from scratchlm.scaling.launching.worker import Lost, Work, work
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.in_memory import MemoryTokens
from scratchlm.text.shards.rows import PackedRows
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.schedules import WarmupStableDecay
from scratchlm.training.pretraining.interruption import Interrupted
from scratchlm.training.pretraining.log import read_log
from scratchlm.training.pretraining.loop import train
from scratchlm.training.pretraining.run import Run
from scratchlm.training.pretraining.step import Diverged

PERIOD = 0.1


def batches():
    draws = np.random.default_rng(0)
    documents = [
        draws.integers(1, 31, draws.integers(1, 11)) for _ in range(40)
    ]
    rows = PackedRows(MemoryTokens(documents, end_id=0), 12)
    return Batches(rows, BatchConfig(batch_size=8))


def adamw_of(model):
    return AdamW(model.parameters(), 1e-2)


def run_of(**other):
    given = {
        "model": TransformerConfig(
            vocab_size=31,
            d_model=32,
            n_layers=2,
            n_heads=4,
            n_kv_heads=2,
            d_head=8,
            d_ff=48,
            max_tokens=32,
            tied=True,
        ),
        "batches": batches,
        "n_steps": 6,
        "optimizer": adamw_of,
        "schedule": WarmupStableDecay(n_steps=20, warmup=4, decay=4),
        "save_every": 2,
    }
    return Run(**{**given, **other})


def steps_of_mesh(group, folder, mesh):
    job = Work(run=run_of(), mesh=mesh, n_micro=mesh.pp)
    return list(work(job, folder, group, period=PERIOD))


def steps_of(group, folder, *, stop=None):
    """What the steps of a run gave; a part of them if it is to stop."""
    job = Work(run=run_of(), mesh=Mesh(dp=group.size()))
    found = []
    for step in work(job, folder, group, period=PERIOD):
        found.append(replace(step, seconds=0.0))
        if step.step + 1 == stop:
            break
    return found


def stopped_twice(group, folder):
    for stop in (3, 5):
        steps_of(group, folder, stop=stop)


def test_a_resumed_run_equals_one_that_went_through(ranks, tmp_path):
    """Steps that are skipped or made twice, or rows of the log that stay
    from a part of the run that is made again."""
    whole = ranks(2)(steps_of, tmp_path / "whole")
    assert whole[0] == whole[1]
    ranks(2)(stopped_twice, tmp_path / "parts")
    parts = ranks(2)(steps_of, tmp_path / "parts")
    assert parts[0] == whole[0][-2:]
    logs = [
        read_log(tmp_path / name / "log.csv") for name in ("whole", "parts")
    ]
    for name in set(logs[0]) - {"seconds"}:
        assert np.array_equal(*(log[name] for log in logs), equal_nan=True)
    assert (np.diff(logs[1]["seconds"]) > 0).all()


def test_ranks_train_as_the_loop_of_one_process_does(ranks, tmp_path):
    """A loss that is a mean of means, a rate that is a step late, a gradient
    that is clipped by one rank's length."""
    alone = list(train(run_of()))
    for mesh in (Mesh(dp=2), Mesh(tp=2), Mesh(pp=2)):
        folder = tmp_path / f"{mesh.dp}{mesh.tp}"
        for found in ranks(2)(steps_of_mesh, folder, mesh):
            for step, own in zip(found, alone, strict=True):
                assert step.loss == pytest.approx(own.loss, rel=1e-6)
                assert step.norm == pytest.approx(own.norm, rel=1e-5)
                assert (step.tokens, step.rate) == (own.tokens, own.rate)


def interrupted(group, folder, number):
    steps = work(Work(run=run_of(), mesh=Mesh(dp=2)), folder, group)
    next(steps)
    if group.rank() == 1:
        os.kill(os.getpid(), number)
    with pytest.raises(Interrupted, match="after 2 steps; it can") as error:
        next(steps)
    return error.value.number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_all_ranks_end_behind_the_same_step(ranks, tmp_path, number):
    """One rank that ends while another goes on into the next step, and waits
    for it."""
    assert ranks(2)(interrupted, tmp_path, number) == [number] * 2
    (path,) = (tmp_path / "checkpoints").glob("step-*")
    assert path.name == "step-00000002"


def refused(group, folder):
    list(work(Work(run=run_of(), mesh=Mesh(dp=2)), folder, group))
    job = Work(run=run_of(seed=1), mesh=Mesh(dp=2))
    with pytest.raises(ValueError, match="of another run: seed") as error:
        next(work(job, folder, group))
    notes = error.value.__notes__
    mixed = Work(run=run_of(seed=group.rank()), mesh=Mesh(dp=2))
    with pytest.raises(ValueError, match=r"the ranks differ: .*seed is 1"):
        next(work(mixed, folder / "mixed", group))
    own = folder if group.rank() else folder / "own"
    with pytest.raises(ValueError, match="steps of checkpoints is"):
        next(work(Work(run=run_of(), mesh=Mesh(dp=2)), own, group))
    with pytest.raises(ValueError, match="has 4 ranks, and the group has 2"):
        next(work(Work(run=run_of(), mesh=Mesh(dp=4)), folder, group))
    return notes


def test_what_does_not_fit_is_refused_before_the_first_step(ranks, tmp_path):
    """Ranks that train two models, read two folders, or go on with another
    run's weights."""
    notes = ranks(2)(refused, tmp_path)
    assert notes[1] == ["This was rank 1 of 2, in step 0."]


def skipping(group, folder, bad, most):
    """Take steps of which some have a gradient that is not finite."""
    clip, norms, weights = MeshParallel.clip, [], []

    def clipped(self, longest):
        norms.append(clip(self, longest))
        weights.append(
            torch.cat([p.detach().flatten() for p in self.own.parameters()])
        )
        return norms[-1] * (float("nan") if len(norms) in bad else 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MeshParallel, "clip", clipped)
        run = run_of(most_skipped=most, n_steps=5)
        job = Work(run=run, mesh=Mesh(dp=2), zero=2)
        steps = list(work(job, folder, group))
    same = [torch.equal(a, b) for a, b in pairwise(weights)]
    return [step.skipped for step in steps], same


def test_a_step_that_is_not_finite_moves_nothing(ranks, tmp_path):
    """A weight that is not a number, in every checkpoint from then on."""
    for skipped, same in ranks(2)(skipping, tmp_path, {2, 3}, 2):
        assert skipped == [False, True, True, False, False]
        assert same == [False, True, True, False]


def diverged(group, folder):
    with pytest.raises(Diverged, match=r"step 2: .*2 steps in a row"):
        skipping(group, folder, {2, 3}, 1)
    # What was counted before is known after a resumption, too.
    with pytest.raises(Diverged, match=r"step 2: .*2 steps in a row"):
        skipping(group, folder, {1}, 1)


def test_a_run_that_is_ill_ends(ranks, tmp_path):
    """Steps that are skipped for ever; or a count that begins anew with each
    start, so that a launcher starts an ill run again and again."""
    ranks(2)(diverged, tmp_path)


class Late(AdamW):
    """An optimizer that is slow on one rank."""

    seconds = 0.0

    def step(self, closure=None):
        time.sleep(self.seconds)
        return super().step(closure)


def slowed(group, folder):
    Late.seconds = 0.15 * group.rank()

    def optimizer(model):
        return Late(model.parameters())

    said = io.StringIO()
    job = Work(run=run_of(optimizer=optimizer), mesh=Mesh(dp=2))
    with redirect_stderr(said):
        list(work(job, folder, group, watch_every=3))
    return said.getvalue()


def test_a_slow_rank_is_named(ranks, tmp_path):
    """A node that is hot, and a run that is slow for weeks."""
    said = ranks(2)(slowed, tmp_path)
    assert "rank 1 needs" in said[0]
    assert said[1] == ""


def gone(group, folder):
    """Raise what gloo says where the other rank has gone."""

    def closed(*_):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MeshParallel, "backward", closed)
        job = Work(run=run_of(), mesh=Mesh(dp=2))
        with pytest.raises(Lost) as error:
            next(work(job, folder, group, period=PERIOD))
        patch.setattr(worker, "pulses", lambda *_, **__: [])
        with pytest.raises(Lost, match="all ranks live; look at the links"):
            next(work(job, folder, group, period=PERIOD))
    return str(error.value)


def test_a_lost_connection_is_explained(ranks, tmp_path):
    """A name of a file in C++, and no word of what to do."""
    for rank, told in enumerate(ranks(2)(gone, tmp_path)):
        assert f"rank {rank} of 2, in step 0, has lost another: " in told
        assert "they go on from the newest checkpoint" in told


@pytest.mark.parametrize(
    "other",
    [
        {"dtype": "bfloat16"},
        {"compiled": True},
        {"recompute": True},
        {"n_micro": 2},
        {"evaluate": float},
        {"loss": lambda model, batch: None},
    ],
)
def test_what_ranks_do_not_do_is_refused(other):
    """A run that silently trains in another precision than it says."""
    (name,) = other
    with pytest.raises(ValueError, match=f"the run's {name} is .* replace"):
        Work(run=run_of(**other))
