"""What PyTorch's engines do when left alone, and what keeps ours right."""

from functools import partial
from math import isnan

import pytest
import torch
from torch.distributed.pipelining import PipelineStage, Schedule1F1B
from torch.nn import functional as F

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.engine import Engine
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.pipeline_parallel.stages import split_model
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.muon import Muon
from scratchlm.training.pretraining.micro_batches import TokenBatch

SMALL = TransformerConfig(
    vocab_size=12,
    d_model=8,
    n_layers=2,
    n_heads=2,
    n_kv_heads=2,
    d_head=4,
    d_ff=8,
    max_tokens=8,
    init=lambda model, n_layers: None,
)


def build():
    torch.manual_seed(0)
    return Transformer(SMALL)


def draw(*, empty=False):
    """Four rows, of which the first has one target and the second none."""
    generator = torch.Generator().manual_seed(0)
    tokens, targets = torch.randint(12, (2, 4, 8), generator=generator)
    targets[0, 1:] = targets[1] = -100
    if empty:
        targets[:] = -100
    return TokenBatch(tokens, targets)


def adamw_of(module):
    return AdamW(module.parameters(), lr=1e-2)


def start(group, sizes, **settings):
    mesh = ProcessMesh(sizes, group)
    return Engine(build(), mesh, adamw_of, **settings)


def due_gradients():
    model, batch = build(), draw()
    logits = model(batch.tokens).flatten(0, 1)
    F.cross_entropy(logits, batch.targets.flatten()).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def apart(found, due):
    return max(
        float((grad - due[name]).norm() / due[name].norm())
        for name, grad in found.items()
    )


class WithHead(torch.nn.Module):
    """A stage; the last one with its head."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def forward(self, x):
        x = self.stage(x)
        return x if self.stage.head is None else self.stage.head(x)


def mean_of_targets(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def by_torch_alone(group, loss):
    """How far the gradients of PyTorch's own pipeline are from right."""
    batch, at = draw(), group.rank()
    stage = split_model(build(), [at], 2)[at]
    device = torch.device("cpu")
    wrapped = PipelineStage(WithHead(stage), at, 2, device, group=group)
    schedule = Schedule1F1B(wrapped, 4, loss_fn=loss)
    args = [batch.tokens] if at == 0 else []
    losses = []
    schedule.step(*args, target=batch.targets, losses=losses)
    found = {name: p.grad for name, p in stage.named_parameters()}
    return apart(found, due_gradients()), [float(x) for x in losses]


def by_the_engine(group):
    engine = start(group, Mesh(pp=2), n_micro=4)
    loss = engine.step(draw(), 1e9)
    found = engine.whole(lambda p: p.grad)
    return apart(found, due_gradients()), float(loss.mean())


def test_a_mean_of_means_is_not_the_mean(ranks):
    """PyTorch's pipeline averages what the loss of each micro-batch returns,
    so that the one target of the first row weighs as much as the eight of
    the third. A micro-batch without targets gives a loss that is no number,
    while its gradients are zero and nobody notices. The second half fails
    without the sum over one count."""
    found = ranks(2)(by_torch_alone, mean_of_targets)
    assert all(off > 0.3 for off, _ in found)
    losses = found[1][1]
    assert [isnan(x) for x in losses] == [False, True, False, False]
    for off, mean in ranks(2)(by_the_engine):
        assert off < 1e-5
        assert 1 < mean < 10


def refuse(group):
    engine = start(group, Mesh(pp=2), n_micro=2)
    odd = TokenBatch(*(x[:3] for x in draw()[:2]))
    with pytest.raises(ValueError, match="3 rows, which 2 micro-batches"):
        engine.step(odd)
    strange = draw()
    strange.tokens[3, 3] = 12
    with pytest.raises(ValueError, match="tokens from 0 to 12"):
        engine.step(strange)
    return float(engine.step(draw()).mean())


def test_all_ranks_refuse_a_batch_before_one_starts(ranks):
    """The first stage finds a strange token, raises, and the others wait
    for what it does not send. After a refusal the next batch goes through."""
    one, other = ranks(2)(refuse)
    assert one == other


def differ(group):
    engine = start(group, Mesh(dp=2), n_micro=1)
    batch = draw()
    batch.tokens[0, 0] = group.rank()
    with pytest.raises(ValueError, match=r"tokens is .* on rank 1"):
        engine.step(batch)
    model = build()
    with torch.no_grad():
        model.norm.weight += group.rank()
    with pytest.raises(ValueError, match=r"norm\.weight is .* on rank 1"):
        Engine(model, ProcessMesh(Mesh(dp=2), group), adamw_of)


def test_ranks_that_differ_learn_it_before_the_first_step(ranks):
    """Rows of another seed, or another model: the loss goes down."""
    ranks(2)(differ)


def muon_of(module):
    return Muon([p for p in module.parameters() if p.ndim == 2])


def refuse_settings(group):
    mesh = partial(ProcessMesh, group=group)
    with pytest.raises(ValueError, match=r"ep is 2, .* MeshParallel"):
        Engine(build(), mesh(Mesh(dp=2, ep=2)), adamw_of)
    with pytest.raises(ValueError, match=r"dtype is torch\.float16"):
        Engine(build(), mesh(Mesh(dp=2)), adamw_of, dtype=torch.float16)
    with pytest.raises(ValueError, match="n_micro is 1, and 1F1B needs"):
        Engine(build(), mesh(Mesh(pp=2)), adamw_of, n_micro=1)
    with pytest.raises(ValueError, match="2 layers"):
        Engine(build(), mesh(Mesh(pp=2)), adamw_of, schedule="LoopedBFS")
    with pytest.raises(ValueError, match="Muon looks at whole matrices"):
        Engine(build(), mesh(Mesh(dp=2)), muon_of)


def test_what_no_engine_of_torch_can_do_is_refused(ranks):
    """Numbers that do not go together, found in the middle of a step."""
    ranks(2)(refuse_settings)


def step_without_targets(group):
    engine = start(group, Mesh(dp=2), n_micro=2)
    before = engine.whole()
    loss = engine.step(draw(empty=True))
    after = engine.whole()
    same = all(torch.equal(after[name], x) for name, x in before.items())
    return int(loss.count), float(loss.total), same


def test_a_step_without_targets_moves_nothing(ranks):
    """A division by no tokens, or an optimizer that decays weights for
    nothing."""
    assert ranks(2)(step_without_targets) == [(0, 0.0, True)] * 2


def in_half_precision(group):
    wide = start(group, Mesh(dp=2), n_micro=2)
    engine = start(group, Mesh(dp=2), n_micro=2, dtype=torch.bfloat16)
    loss, due = engine.step(draw(), 1e9), wide.step(draw(), 1e9)
    module = engine.shards.module
    kinds = {p.dtype for p in module.parameters()}
    kinds |= {p.grad.dtype for p in module.parameters()}
    state = engine.optimizer.state
    kinds |= {s["mean"].dtype for s in state.values()}
    found, right = (e.whole(lambda p: p.grad) for e in (engine, wide))
    off = apart(found, right)
    return kinds, float(loss.total / due.total), off


def test_half_precision_is_for_products_alone(ranks):
    """Weights or moments in 16 bits, which lose small steps; or a model
    that computes in 32 bits though it was told not to."""
    for kinds, ratio, off in ranks(2)(in_half_precision):
        assert kinds == {torch.float32}
        assert abs(ratio - 1) < 0.02
        assert 1e-4 < off < 0.1


def use_lengths(group):
    """Rows of two lengths, one after the other, through one pipeline."""
    engine, found = start(group, Mesh(pp=2), n_micro=2), []
    for n_tokens in (8, 4, 8):
        batch = TokenBatch(*(x[:, :n_tokens] for x in draw()[:2]))
        found.append(float(engine.step(batch).mean()))
    return found


def test_rows_of_another_length_find_a_pipeline_of_theirs(ranks):
    """PyTorch fixes the shapes of messages at the first step."""
    one, other = ranks(2)(use_lengths)
    assert one == other
    assert all(1 < loss < 10 for loss in one)
