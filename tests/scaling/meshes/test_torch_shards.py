"""Weights in distributed tensors, and the length of their gradient."""

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.engine import Engine
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.meshes.torch_shards import device_mesh
from scratchlm.training.optimizers.sgd import SGD
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
    tied=True,
)


def build():
    torch.manual_seed(0)
    return Transformer(SMALL)


def draw():
    generator = torch.Generator().manual_seed(0)
    tokens, targets = torch.randint(12, (2, 4, 8), generator=generator)
    return TokenBatch(tokens, targets)


def sgd_of(module):
    return SGD(module.parameters(), lr=0.1)


def lengths(group, sizes):
    """The length of the gradient by the engine, and what a rank's own norm
    of each gradient would say if its ``item`` were read."""
    engine = Engine(build(), ProcessMesh(sizes, group), sgd_of, n_micro=2)
    engine.step(draw(), 1e9)
    grads = [p.grad for p in engine.shards.module.parameters()]
    naive = sum(torch.linalg.vector_norm(g).item() ** 2 for g in grads)
    return float(engine.gradient_norm), naive**0.5


def test_the_length_of_the_gradient_is_the_same_on_all_ranks(ranks):
    """item of a norm of a distributed tensor is this rank's share, without a
    word: each rank would clip by another factor. And what tp or two stages
    hold twice would count twice."""
    ((true, _),) = ranks(1)(lengths, Mesh())
    for sizes in (Mesh(dp=2), Mesh(tp=2), Mesh(pp=2)):
        told = ranks(2)(lengths, sizes)
        assert told[0][0] == told[1][0]
        assert abs(told[0][0] - true) < 1e-5 * true
        naive = [found for _, found in told]
        assert max(abs(x - true) for x in naive) > 1e-3 * true


def share_across_groups(group):
    model, mesh = build(), DeviceMesh("cpu", torch.arange(2))
    fully_shard(model.embedding, mesh=mesh)
    fully_shard(model.head, mesh=mesh)
    fully_shard(model, mesh=mesh)
    with pytest.raises(ValueError, match="another FSDP group"):
        model(draw().tokens)
    lone = nn.Module()
    lone.register_parameter("gain", nn.Parameter(torch.ones(())))
    with pytest.raises(ValueError, match="scalar"):
        fully_shard(lone, mesh=mesh)
    model = build()
    model.gain = nn.Parameter(torch.ones(()))
    with pytest.raises(ValueError, match=r"gain has no dimension"):
        Engine(model, ProcessMesh(Mesh(dp=2), group), sgd_of)


def test_a_tied_weight_is_in_one_group(ranks):
    """A group for the embedding and one for the head, of which PyTorch says
    that a parameter is shared; the engine has one for all that stands
    outside of the blocks. One that is a single number is refused by name."""
    ranks(2)(share_across_groups)


def sum_with_gloo(group):
    model, mesh = nn.Linear(2, 2, bias=False), DeviceMesh("cpu", [0, 1])
    fully_shard(model, mesh=mesh)
    model.set_gradient_divide_factor(1.0)
    with pytest.raises(RuntimeError, match="PREMUL_SUM"):
        model(torch.ones(1, 2)).sum().backward()


def test_a_factor_of_one_is_a_sum(ranks):
    """FSDP2 divides gradients by the number of ranks unless it is told not
    to, and telling it raises with gloo. Fails when gloo has learnt it."""
    ranks(2)(sum_with_gloo)


def places(group, sizes):
    mesh = device_mesh(ProcessMesh(sizes, group), "cpu")
    return mesh.get_coordinate(), mesh.mesh.tolist()


def test_stages_have_meshes_of_their_own(ranks):
    """Gradients that are summed over ranks of another stage."""
    found = ranks(8)(places, Mesh(dp=2, tp=2, pp=2))
    coordinate, grid = found[5]
    assert (*coordinate,) == (0, 1)
    assert grid == [[4, 5], [6, 7]]


def look_later(group):
    engine = Engine(build(), ProcessMesh(Mesh(), group), sgd_of, n_micro=1)
    before = engine.whole()
    engine.step(draw())
    after = engine.whole()
    assert all(isinstance(x, torch.Tensor) for x in after.values())
    assert not any(isinstance(x, DTensor) for x in after.values())
    return all(not torch.equal(before[n], x) for n, x in after.items())


def test_what_was_joined_stays_as_it_was(ranks):
    """full_tensor of a part that is all is the weight itself, which the next
    step moves under whoever keeps it."""
    assert ranks(1)(look_later) == [True]
