"""PyTorch's engines under our plan: each gradient against one process."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.scaling.small_models import build
from torch.nn import functional as F

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.norm import LayerNorm, norm_each_head
from scratchlm.model.embeddings.embedding import LearnedPositions
from scratchlm.model.positions.rotary import NoRotation
from scratchlm.model.transformer.transformer import (
    TransformerConfig,
)
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.meshes.engine import Engine
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.meshes.torch_stages import ORDERS
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.pretraining.micro_batches import TokenBatch

SMALL = TransformerConfig(
    vocab_size=61,  # which two ranks do not share evenly
    d_model=16,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    d_head=4,
    d_ff=24,
    max_tokens=16,
    attention=partial(
        Attention, qk_norm=norm_each_head, bias=True, out_bias=True
    ),
    feedforward=(MLP, SwiGLU),
    tied=True,
)
OTHER = replace(
    SMALL,
    attention=Attention,
    norm=LayerNorm,
    embedding=LearnedPositions,
    rotary=NoRotation,
    tied=False,
)


def draw(seed=0):
    """Packed rows of unequal numbers of targets, some without any, so that
    micro-batches and ranks have unequal shares too."""
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(61, (2, 8, 8), generator=generator)
    documents = torch.zeros_like(tokens)
    documents[1, 5:] = 1
    targets[0, :3] = targets[2:4] = targets[5, 6:] = -100
    return TokenBatch(tokens=tokens, targets=targets, documents=documents)


def adamw_of(module):
    return AdamW(module.parameters(), lr=1e-2)


def one_step(model, batch):
    """Leave the gradient of one process in each grad; return the nats."""
    logits = model(batch.tokens, documents=batch.documents)
    nats = F.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), reduction="sum"
    )
    (nats / (batch.targets != -100).sum()).backward()
    return float(nats.detach())


def apart(found, due):
    """The largest difference, over the largest of what is due."""
    return float((found - due).abs().max() / due.abs().max())


def train(group, sizes, settings, config=SMALL, n_steps=5):
    """How far losses, gradients, norms and weights are from one process."""
    dtype = settings.get("dtype", torch.float64)
    alone, settings = build(config, dtype), {"dtype": dtype, **settings}
    mesh = ProcessMesh(sizes, group)
    engine = Engine(build(config, dtype), mesh, adamw_of, **settings)
    optimizer, off = adamw_of(alone), {}
    due = dict(alone.named_parameters(remove_duplicate=False))
    for step in range(n_steps):
        nats = one_step(alone, draw(step))
        grads = [p.grad for p in alone.parameters()]
        length = float(torch.nn.utils.get_total_norm(grads))
        longest = math.inf if step == 0 else 0.5
        loss = engine.step(draw(step), longest)
        off[step, "loss"] = abs(float(loss.total) - nats) / nats
        off[step, "norm"] = abs(float(engine.gradient_norm) - length) / length
        if step == 0:
            off |= {
                name: apart(grad, due[name].grad)
                for name, grad in engine.whole(lambda p: p.grad).items()
            }
        for grad in grads:  # torch's own clipping adds 1e-6
            grad.mul_(min(1.0, longest / length))
        optimizer.step()
        optimizer.zero_grad()
    found = engine.whole()
    off |= {
        (name, "trained"): apart(weight, due[name].detach())
        for name, weight in found.items()
    }
    return off


def train_each(group, cases, *options):
    return [train(group, *case, *options) for case in cases]


def check(found, n_parameters, limit=1e-11):
    """Every rank is right, and no parameter of the model is left out."""
    for cases in zip(*found, strict=True):
        for off in cases:
            assert max(off.values()) < limit, off
        names = {name for off in cases for name in off}
        assert len(names) == 2 * n_parameters + 10


N_PARAMETERS = len([*build(SMALL).state_dict()])
PAIRS = {
    "dp × tp": Mesh(dp=2, tp=2),
    "dp × pp": Mesh(dp=2, pp=2),
    "tp × pp": Mesh(tp=2, pp=2),
    "dp × cp": Mesh(dp=2, cp=2),
    "tp × cp": Mesh(tp=2, cp=2),
    "cp × pp": Mesh(cp=2, pp=2),
}


def test_one_rank_is_the_plain_loop(ranks):
    """An engine whose wrapping changes the model."""
    cases = [(Mesh(), {}), (Mesh(), {"checkpointed": True})]
    check(ranks(1)(train_each, cases), N_PARAMETERS)


def test_each_axis_is_one_process(ranks):
    """A mean of means where ranks or micro-batches have unequal numbers of
    valid tokens; gradients of norms that are one rank's share; a tie that
    parallelize_module or two stages cut apart; a bias that is added once per
    rank. The loss looks normal in each."""
    cases = [
        (Mesh(dp=2), {}),
        (Mesh(dp=2), {"checkpointed": True}),
        (Mesh(tp=2), {"sequence": False}),
        (Mesh(tp=2), {}),
        (Mesh(cp=2), {}),
        (Mesh(pp=2), {}),
    ]
    check(ranks(2)(train_each, cases), N_PARAMETERS)


@pytest.mark.parametrize("sizes", PAIRS.values(), ids=PAIRS)
def test_two_axes_are_one_process(ranks, sizes):
    """Sums over the ranks of one axis that belong to the other."""
    check(ranks(4)(train_each, [(sizes, {})]), N_PARAMETERS)


def test_three_axes_are_one_process(ranks):
    """A norm of the gradient in which a parameter counts once per axis."""
    cases = [(Mesh(dp=2, tp=2, pp=2), {"checkpointed": True})]
    check(ranks(8)(train_each, cases), N_PARAMETERS)


def test_weights_that_nobody_ties_and_positions_that_are_learned(ranks):
    """A plan that fits one model. Here norms have biases, the embedding is
    a sum, and the head has a weight of its own."""
    cases = [(Mesh(tp=2), {}), (Mesh(pp=2), {}), (Mesh(dp=2), {})]
    found = ranks(2)(train_each, cases, OTHER)
    check(found, len([*build(OTHER).state_dict()]))


def test_each_schedule_is_one_process(ranks):
    """Stages that are on other ranks than the schedule thinks; in folded
    ones the first rank has the last stage too, with a tied weight of which
    each has the gradient of one use."""
    config = replace(SMALL, n_layers=4)
    cases = [(Mesh(pp=2), {"schedule": kind}) for kind in ORDERS]
    found = ranks(2)(train_each, cases, config)
    check(found, len([*build(config).state_dict()]))


def test_in_single_precision_only_roundings_differ(ranks):
    """A sum in fewer bits. One process is itself as far from the truth as
    this bound, so that exact equality is shown in double precision."""
    settings = {"dtype": torch.float32}
    cases = [(PAIRS["dp × tp"], settings), (PAIRS["dp × pp"], settings)]
    found = ranks(4)(train_each, cases, SMALL, 1)
    for off in (off for cases in found for off in cases):
        early = [x for name, x in off.items() if name[1] != "trained"]
        assert max(early) < 5e-6, off
