"""Meshes of all kinds: each gradient against one process."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.scaling.small_models import SMALL as TWO_LAYERS
from tests.scaling.small_models import apart, build

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.norm import LayerNorm
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.mesh_checkpoint import (
    load_on_mesh,
    save_on_mesh,
)
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.pipeline_parallel.schedules import (
    gpipe,
    interleaved,
    zb_h1,
    zb_v,
)
from scratchlm.training.objective.loss import next_token_loss
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.groups import adamw, muon_and_adamw
from scratchlm.training.pretraining.micro_batches import TokenBatch

SMALL = replace(TWO_LAYERS, n_layers=4)
TIED = replace(
    SMALL,
    tied=True,
    attention=partial(Attention, bias=True, out_bias=True),
    feedforward=(MLP, SwiGLU),
    norm=LayerNorm,
)
EXPERTS = replace(
    SMALL,
    feedforward=partial(
        MixtureOfExperts,
        n_experts=4,
        top_k=2,
        shared=partial(SwiGLU, d_ff=24),
    ),
)
adamw_of = partial(adamw, lr=1e-2)


def draw(seed=0, n_rows=9, n_tokens=10):
    """Packed rows of unequal numbers of targets, four without any."""
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(
        61, (2, n_rows, n_tokens), generator=generator
    )
    documents = torch.zeros_like(tokens)
    documents[1, 4:] = 1
    documents[3, 7:] = 1
    targets[0, :3] = targets[2:6] = -100
    return TokenBatch(tokens, targets, documents)


def whole_loss(model, batch):
    x = model.hidden(batch.tokens, documents=batch.documents)
    return next_token_loss(x, model.head.weight, batch.targets)


def one_process(config, n_steps, dtype):
    """Losses, gradients, norms and weights of a run in one process."""
    model = build(config, dtype)
    optimizer, told = adamw_of(model), []
    for step in range(n_steps):
        loss = whole_loss(model, draw(step))
        loss.mean().backward()
        gradients = {
            n: p.grad.clone()
            for n, p in model.named_parameters(remove_duplicate=False)
        }
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in model.parameters()]
        )
        for p in model.parameters():  # torch's own clipping adds 1e-6
            p.grad.mul_(min(1.0, 0.5 / float(norm)))
        optimizer.step()
        optimizer.zero_grad()
        total = float(loss.total.detach())
        told.append((total, int(loss.count), gradients, norm))
    weights = dict(model.named_parameters(remove_duplicate=False))
    return told, {n: p.detach() for n, p in weights.items()}


def train(group, config, sizes, settings, dtype, n_steps=2):  # noqa: PLR0917
    """How far a mesh is from one process, in all that it computes."""
    told, weights = one_process(config, n_steps, dtype)
    mesh = ProcessMesh(sizes, group)
    parallel = MeshParallel(build(config, dtype), mesh, adamw_of, **settings)
    off, seen = {}, set()
    for step, (total, count, gradients, norm) in enumerate(told):
        loss = parallel.backward(draw(step))
        assert loss.count == count
        off[step, "loss"] = abs(float(loss.total) / total - 1)
        for name, gradient in parallel.whole(lambda p: p.grad).items():
            off[step, name] = apart(gradient, gradients[name])
            seen.add(name)
        found = parallel.clip(0.5)
        off[step, "norm"] = abs(float(found) / float(norm) - 1)
        parallel.move()
    for name, weight in parallel.whole().items():
        off["trained", name] = apart(weight, weights[name])
    return off, seen


def check(ranks, config, sizes, **settings):
    settings = {"n_micro": sizes.pp, **settings}
    found = ranks(sizes.world)(train, config, sizes, settings, torch.float64)
    named = build(config).named_parameters(remove_duplicate=False)
    every = {name for name, _ in named}
    assert set().union(*(seen for _, seen in found)) == every
    for off, _ in found:
        assert max(off.values()) < 1e-11, off


PAIRS = [
    Mesh(dp=2, tp=2),
    Mesh(dp=2, pp=2),
    Mesh(dp=2, cp=2),
    Mesh(tp=2, pp=2),
    Mesh(tp=2, cp=2),
    Mesh(pp=2, cp=2),
]


@pytest.mark.parametrize("sizes", PAIRS, ids=str)
@pytest.mark.parametrize("config", [SMALL, TIED], ids=["plain", "tied"])
def test_two_axes_compute_what_one_process_does(ranks, config, sizes):
    """A gradient summed over the wrong group, or over none: the loss looks
    normal, and the parameter learns from some of the rows."""
    check(ranks, config, sizes)


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
@pytest.mark.parametrize("config", [SMALL, TIED], ids=["plain", "tied"])
def test_three_axes_with_every_stage_of_zero(ranks, config, zero):
    """A norm that counts what tensor parallel ranks both hold twice, or a
    piece of ZeRO's that is of another stage's parameter."""
    check(ranks, config, Mesh(dp=2, tp=2, pp=2), zero=zero)


@pytest.mark.parametrize("zero", [0, 2])
def test_in_single_precision_only_roundings_differ(ranks, zero):
    """A sum that is rounded to fewer bits on its way. The order of sums
    differs, so the bits do: within 1e-6 in each gradient."""
    sizes, settings = Mesh(dp=2, tp=2, pp=2), {"n_micro": 2, "zero": zero}
    found = ranks(8)(train, SMALL, sizes, settings, torch.float32, 1)
    for off, _ in found:
        found = {k: v for k, v in off.items() if k[0] != "trained"}
        assert max(found.values()) < 1e-6, found


@pytest.mark.parametrize(
    "sizes",
    [
        Mesh(dp=2, ep=2),
        Mesh(dp=4, ep=2),
        Mesh(dp=2, ep=2, tp=2),
        Mesh(dp=2, ep=2, pp=2),
        Mesh(dp=2, ep=2, cp=2),
    ],
    ids=str,
)
def test_experts_on_every_other_axis(ranks, sizes):
    """An expert's gradient summed with that of another expert, which the
    same rank of data parallel holds."""
    check(ranks, EXPERTS, sizes)


def test_experts_and_zero(ranks):
    """Experts are copied on fewer ranks than all else, and so are cut into
    fewer pieces."""
    sizes = Mesh(dp=4, ep=2, tp=2)
    check(ranks, EXPERTS, sizes, zero=3)


@pytest.mark.parametrize(
    "sizes", [Mesh(tp=2, pp=2), Mesh(tp=2, cp=2)], ids=str
)
@pytest.mark.parametrize("config", [TIED, EXPERTS], ids=["tied", "experts"])
def test_positions_shared_between_regions(ranks, config, sizes):
    """What a stage sends is a part of the positions, and the stage that
    receives it takes it for all."""
    check(ranks, config, sizes, sequence=True)


@pytest.mark.parametrize(
    ("schedule", "n_micro"),
    [(gpipe, 3), (interleaved, 4), (zb_h1, 3), (zb_v, 4)],
    ids=["gpipe", "interleaved", "zb_h1", "zb_v"],
)
@pytest.mark.parametrize("config", [SMALL, TIED], ids=["plain", "tied"])
def test_all_schedules_with_data_parallel(ranks, config, schedule, n_micro):
    """Gradients of weights that come after the backward pass, when the sum
    over ranks has gone off without them."""
    sizes = Mesh(dp=2, pp=2)
    check(ranks, config, sizes, schedule=schedule, n_micro=n_micro)


REFUSED = {
    "micro-batches": (Mesh(pp=2), {"n_micro": 1}, "n_micro is 1, and 2 stag"),
    "split": (Mesh(pp=2), {"zero": 1, "schedule": zb_h1}, "use another sched"),
    "heads": (Mesh(tp=2), {"n_kv_heads": 1}, "n_kv_heads of .* is 1, which 2"),
    "layers": (Mesh(pp=2), {"n_layers": 1}, "the model has 1 layers"),
    "muon": (Mesh(tp=2), {"optimizer": muon_and_adamw}, "whole matrices"),
    "no experts": (Mesh(dp=2, ep=2), {}, "has no MixtureOfExperts"),
    "rows": (Mesh(dp=2), {"n_micro": 5}, "9 rows for 2 data parallel ranks"),
}


def refuse(group, sizes, changed, told):
    settings = {"n_micro": sizes.pp, **changed}
    sized = {
        name: settings.pop(name)
        for name in ("n_kv_heads", "n_layers")
        if name in settings
    }
    optimizer = settings.pop("optimizer", adamw_of)
    model = build(replace(SMALL, **sized), torch.float64)
    with pytest.raises(ValueError, match=told):
        MeshParallel(
            model, ProcessMesh(sizes, group), optimizer, **settings
        ).backward(draw())


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_with_the_mesh_is_refused(ranks, case):
    """Found on all ranks alike before the first step, not by a hang."""
    ranks(2)(refuse, *REFUSED[case])


def test_ranks_that_start_from_other_weights_are_found(ranks):
    """Each rank drew its own weights: a step trains many models a little."""

    def differ(group):
        model = build(SMALL, torch.float64)
        with torch.no_grad():
            model.norm.weight += group.rank()
        with pytest.raises(ValueError, match="the ranks differ: norm"):
            MeshParallel(model, ProcessMesh(Mesh(dp=2), group), adamw_of)

    ranks(2)(differ)


def test_a_batch_without_targets_moves_nothing(ranks):
    """A division by a count of zero, after which all weights are NaN."""

    def idle(group):
        mesh = ProcessMesh(Mesh(dp=2), group)
        parallel = MeshParallel(build(SMALL, torch.float64), mesh, adamw_of)
        before = {n: p.clone() for n, p in parallel.parts}
        batch = draw()
        batch.targets.fill_(-100)
        loss = parallel.step(batch, longest=1.0)
        assert loss.count == 0
        assert all(torch.equal(p, before[n]) for n, p in parallel.parts)
        batch = draw()
        first = parallel.step(batch)
        assert parallel.gradient_norm > 0
        assert parallel.step(batch).total < first.total

    ranks(2)(idle)


def test_a_gradient_that_is_not_finite_moves_nothing(ranks):
    """One overflow, after which every weight of the run is NaN."""

    def overflow(group):
        mesh = ProcessMesh(Mesh(dp=2), group)
        parallel = MeshParallel(
            build(SMALL, torch.float64), mesh, adamw_of, zero=2
        )
        with torch.no_grad():
            parallel.own.norm.weight[0] = float("inf")
        parallel.move()  # so that the masters have it
        before = parallel.whole()
        parallel.step(draw(), longest=1.0)
        assert not parallel.gradient_norm.isfinite()
        after = parallel.whole()
        assert all(torch.equal(after[n], x) for n, x in before.items())

    ranks(2)(overflow)


def test_ranks_that_begin_with_other_rows_are_found(ranks):
    """Each rank drew its own batch: they sum gradients of rows that overlap,
    and count tokens that another does not have."""

    def differ(group):
        mesh = ProcessMesh(Mesh(dp=2), group)
        parallel = MeshParallel(build(SMALL, torch.float64), mesh, adamw_of)
        with pytest.raises(ValueError, match=r"differ: targets .*; tokens"):
            parallel.step(draw(group.rank()))

    ranks(2)(differ)


def test_a_weight_that_nothing_moves_is_saved_and_loaded(ranks, tmp_path):
    """A model that is frozen in part, whose optimizer has the rest."""

    def freeze(group):
        model = build(SMALL, torch.float64)
        model.embedding.requires_grad_(False)
        mesh = ProcessMesh(Mesh(dp=2), group)

        def some(own):
            rest = [p for p in own.parameters() if p.requires_grad]
            return AdamW(rest, lr=1e-2)

        parallel = MeshParallel(model, mesh, some)
        parallel.step(draw(), longest=1.0)
        due = {n: x.clone() for n, x in parallel.whole().items()}
        save_on_mesh(tmp_path, parallel, 1)
        parallel.step(draw(1), longest=1.0)
        assert load_on_mesh(tmp_path, parallel) == 1
        found = parallel.whole()
        assert all(torch.equal(found[n], x) for n, x in due.items())

    ranks(2)(freeze)
