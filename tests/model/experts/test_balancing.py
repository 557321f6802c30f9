import gc
import math
import weakref
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from scratchlm.model.experts.balancing import (
    balance_loss,
    statistics,
    update_biases,
    z_loss,
)
from scratchlm.model.experts.dispatch import Capacity
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.experts.kernels.fused_grouped_matmul import (
    fused_grouped_matmul,
)
from scratchlm.model.experts.routing import BiasedRouter, SoftmaxRouter

D, E, K = 8, 4, 2


def make(n_layers=2, **parts):
    torch.manual_seed(0)
    parts = {"n_experts": E, "top_k": K} | parts
    return nn.Sequential(
        *(MixtureOfExperts(D, 16, **parts) for _ in range(n_layers))
    )


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(5, 9, D)


def test_balance_loss_follows_the_definition(x):
    """A share of tokens in place of choices, which is k times as large; a
    sum over layers in place of the mean."""
    model = make()
    first = model[0].router(x.view(-1, D))
    second = model[1].router(model[0](x).view(-1, D))
    model(x)
    expected = 0.0
    for routing in (first, second):
        for e in range(E):
            share = (routing.chosen == e).float().mean()
            expected += E * share * routing.probs[:, e].mean() / 2
    torch.testing.assert_close(balance_loss(model), expected)


def test_balance_loss_is_that_of_transformers(x):
    """For one layer theirs is k times ours: they count a choice as a share
    of tokens. For several, they mix the layers before they multiply."""
    from transformers.models.mixtral.modeling_mixtral import (
        load_balancing_loss_func,
    )

    model = make(1)
    model(x)
    logits = model[0].router(x.view(-1, D)).logits
    theirs = load_balancing_loss_func((logits,), E, K)
    torch.testing.assert_close(K * balance_loss(model), theirs)


@pytest.mark.parametrize(("top_k", "n_experts"), [(1, 4), (2, 4), (3, 6)])
def test_balance_loss_is_one_if_even_and_e_over_k_at_worst(top_k, n_experts):
    """A bound without which nobody can read the number."""
    router = partial(SoftmaxRouter, normalize=False)
    model = make(1, n_experts=n_experts, top_k=top_k, router=router)
    with torch.no_grad():
        model[0].router.weight.zero_()
    model(torch.randn(8, D))
    torch.testing.assert_close(balance_loss(model).item(), 1.0)
    with torch.no_grad():
        model[0].router.weight[:top_k] = 50.0
    model(torch.ones(8, D))
    torch.testing.assert_close(balance_loss(model).item(), n_experts / top_k)


def test_z_loss_follows_the_definition(x):
    """The square of the mean in place of the mean of squares."""
    model = make(1)
    model(x)
    logits = model[0].router(x.view(-1, D)).logits
    expected = logits.exp().sum(-1).log().pow(2).mean()
    torch.testing.assert_close(z_loss(model), expected)
    with torch.no_grad():
        model[0].router.weight.zero_()
    model(x)
    torch.testing.assert_close(z_loss(model).item(), math.log(E) ** 2)


def train(loss=None, router=SoftmaxRouter, rate=0.0, steps=200):
    """Tokens of one kind, all to one expert at first."""
    model = make(1, router=router)
    x = torch.randn(64, D) * 0.3 + 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        y = model(x)
        value = (y * 0).sum() if loss is None else loss(model)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if rate:
            update_biases(model, rate)
    model(x)
    load = model[0].statistics.load
    return load.max().item() / (64 * K / E)


def test_the_loss_evens_the_load():
    """A loss with the sign turned round, or without a gradient."""
    assert train() > 1.5
    assert train(balance_loss) < 1.3


def test_the_bias_evens_the_load():
    """A bias that is raised where the load is high."""
    bias = partial(BiasedRouter, score=partial(torch.softmax, dim=-1))
    assert train(router=bias) > 1.5
    assert train(router=bias, rate=0.002) < 1.3


def test_biases_move_by_the_sign_of_the_error():
    """A step in proportion to the error; a bias that moves when the load
    is even; a load that is kept for the next step."""
    model = make(1, router=BiasedRouter)
    router = model[0].router
    router.load.copy_(torch.tensor([5, 5, 3, 7]))
    update_biases(model, 0.001)
    steps = [0, 0, 0.001, -0.001]
    torch.testing.assert_close(router.bias, torch.tensor(steps))
    assert router.load.tolist() == [0] * E


def test_micro_batches_and_processes_count_together(x):
    """Biases that follow the last micro-batch, or one process of many: the
    copies of a model would drift apart."""
    model = make(router=BiasedRouter)
    for part in x.split(2):
        model(part)
    loads = torch.stack([layer.router.load for layer in model])
    assert loads.sum().item() == 2 * x.shape[0] * x.shape[1] * K
    seen = []

    def others(loads):
        seen.append(loads.clone())
        loads += torch.tensor([1000, 0, 0, 0])

    update_biases(model, 0.1, reduce=others)
    assert torch.equal(seen[0], loads)
    for layer in model:
        bias = layer.router.bias.tolist()
        assert bias[0] < 0
        assert min(bias[1:]) > 0


@pytest.mark.parametrize("read", [statistics, balance_loss, z_loss])
def test_what_never_ran_is_named(read, x):
    """A loss of zero from a model that has nothing to balance."""
    with pytest.raises(ValueError, match="no MixtureOfExperts"):
        read(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"2 of 2 mixtures .* training mode"):
        read(make())
    model = make().eval()
    model(x)
    with pytest.raises(ValueError, match="training mode"):
        read(model)


def test_biases_need_their_router():
    """A call that has done nothing for a month."""
    with pytest.raises(ValueError, match="no BiasedRouter"):
        update_biases(make(), 0.001)


@pytest.mark.parametrize("loss", [balance_loss, z_loss])
def test_losses_survive_checkpointing_or_say_so(loss, x):
    """The older kind of checkpointing runs the layer without gradients:
    the loss has a value, and teaches nothing."""
    model = make()
    x.requires_grad_()
    loss(nn.Sequential(*_run(model, x))).backward()
    plain = [layer.router.weight.grad for layer in model]
    model.zero_grad()
    y = checkpoint(model, x, use_reentrant=False)
    (0 * y.sum() + loss(model)).backward()
    for layer, expected in zip(model, plain, strict=True):
        torch.testing.assert_close(layer.router.weight.grad, expected)
    checkpoint(model, x, use_reentrant=True)
    with pytest.raises(ValueError, match="use_reentrant=False"):
        loss(model)
    with torch.no_grad():
        assert loss(model) > 0


def _run(model, x):
    model(x)
    return model


def test_checkpointing_counts_shares_right(x):
    """The forward pass that runs again counts its tokens again: harmless
    as long as nothing is read but the sign of the error."""
    biases = []
    for kept in (True, False):
        model = make(router=BiasedRouter)
        y = model(x) if kept else checkpoint(model, x, use_reentrant=False)
        y.sum().backward()
        update_biases(model, 0.1)
        biases.append(torch.stack([layer.router.bias for layer in model]))
    assert torch.equal(*biases)


def test_losses_survive_compilation(x, unchecked):
    """Statistics that a compiled pass does not hand out, or hands out
    without a gradient."""
    parts = {"router": BiasedRouter, "matmul": fused_grouped_matmul}
    model, x = make(**parts).bfloat16(), x.bfloat16()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    results = []
    for run in (model, compiled):
        model.zero_grad()
        run(x)
        (balance_loss(model) + z_loss(model)).backward()
        loads = torch.stack([layer.router.load for layer in model])
        update_biases(model, 0.0)
        results.append((loads, model[1].router.weight.grad.clone()))
    torch.testing.assert_close(*results)


def test_frozen_routers_are_no_error(x):
    """Fine-tuning with fixed routers still wants to watch the load."""
    model = make().requires_grad_(False)
    model(x)
    assert balance_loss(model) >= 0.5


class Box:
    """What the graph keeps in place of a tensor, so that we can watch."""

    def __init__(self, tensor):
        self.tensor = tensor


@pytest.mark.parametrize("both", [True, False])
def test_little_is_kept_after_the_step(x, both):
    """Statistics that hold what every layer saved for its backward pass,
    from one step to the next."""
    model, alive = make(), weakref.WeakSet()

    def pack(tensor):
        box = Box(tensor.detach())  # a result would hold its own node
        alive.add(box)
        return box

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda b: b.tensor):
        loss = model(x).sum() + balance_loss(model)
        if both:
            loss = loss + z_loss(model)
    before = len(alive)
    loss.backward()
    del loss
    gc.collect()
    # Without the z loss each layer keeps its logits and their sums.
    n_rows = x.shape[0] * x.shape[1]
    sizes = sorted(box.tensor.numel() for box in alive)
    logits = 0 if both else len(model) * n_rows * (E + 2)
    assert before > 20
    assert sum(sizes) <= logits
    model.eval()(x)
    gc.collect()
    assert not alive


def test_drops_are_counted_for_each_layer(x):
    """A run that drops a third of its tokens, and nobody knows."""
    model = make(dispatch=Capacity(0.5))
    model(x)
    n_choices = x.shape[0] * x.shape[1] * K
    for each in statistics(model):
        places = math.ceil(0.5 * n_choices / E)
        over = (each.load - places).clamp(min=0).sum()
        assert each.dropped == over > 0
