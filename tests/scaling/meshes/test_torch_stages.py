"""PyTorch's schedules: who has which stage, and what they refuse."""

import pytest
import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import get_schedule_class

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.meshes.torch_stages import (
    ORDERS,
    Held,
    cut_stages,
    loss_in_parts,
    order_of,
)

CONFIG = TransformerConfig(
    vocab_size=11,
    d_model=8,
    n_layers=8,
    n_heads=2,
    n_kv_heads=2,
    d_head=4,
    d_ff=8,
    max_tokens=8,
)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_each_stage_is_on_one_rank(order):
    """A stage on two ranks is trained twice, and one on none never."""
    size = 4
    every = [order.stages_of(rank, size) for rank in range(size)]
    stages = [stage for one in every for stage in one]
    assert sorted(stages) == [*range(order.chunks * size)]
    for stage in stages:
        assert stage in every[order.rank_of(stage, size)]


def test_a_rank_holds_what_its_stages_hold():
    """Names of a stage in a checkpoint, in place of the model's."""
    model = Transformer(CONFIG)
    named = dict(model.named_parameters())
    found = {}
    for rank in range(2):
        stages = cut_stages(model, ORDERS["ZBVZeroBubble"], rank, 2)
        held = Held([*stages.values()])
        found |= dict(held.named_parameters())
        assert (held.head is None) == (rank == 1)
    assert found.keys() == named.keys()
    assert all(found[name] is p for name, p in named.items())


def torch_says(group, kind, n_micro):
    """Whether PyTorch makes such a schedule for these ranks."""
    order, rank, size = ORDERS[kind], group.rank(), group.size()
    stages = [
        PipelineStage(
            torch.nn.Linear(2, 2),
            at,
            order.chunks * size,
            torch.device("cpu"),
            group=group,
        )
        for at in order.stages_of(rank, size)
    ]
    make = get_schedule_class(kind)
    try:
        make(
            stages if order.chunks > 1 else stages[0],
            n_micro,
            loss_fn=lambda out, target: out.sum(),
        )
    except ValueError:
        return False
    return True


def torch_says_each(group, cases):
    return [torch_says(group, *case) for case in cases]


def test_what_torch_refuses_is_refused_with_a_remedy(ranks):
    """A schedule of PyTorch's that raises on some ranks only, once the
    others wait; or one that we refuse though it runs."""
    cases = [(kind, n) for kind in ORDERS for n in range(1, 7)]
    agreed = ranks(2)(torch_says_each, cases)
    assert agreed[0] == agreed[1]
    for (kind, n_micro), makes in zip(cases, agreed[0], strict=True):
        if makes:
            assert order_of(kind, n_micro, 2).kind == kind
        else:
            with pytest.raises(ValueError, match=f"n_micro is {n_micro}"):
                order_of(kind, n_micro, 2)


def test_one_stage_needs_no_order():
    """A schedule that a run on one rank cannot satisfy."""
    assert order_of("1F1B", 1, 1).chunks == 1
    with pytest.raises(ValueError, match="schedule is 'DualPipe'; give"):
        order_of("DualPipe", 4, 2)
    with pytest.raises(ValueError, match="8 layers"):
        cut_stages(Transformer(CONFIG), ORDERS["LoopedBFS"], 0, 8)


def fail_inside(group):
    """What a loss of whole logits does after errors inside of contexts."""
    from torch.distributed.tensor import Replicate, distribute_tensor
    from torch.distributed.tensor.parallel import loss_parallel
    from torch.nn.functional import cross_entropy

    mesh, told = DeviceMesh("cpu", torch.arange(1)), []
    logits = distribute_tensor(torch.randn(2, 4), mesh, [Replicate()])
    targets = distribute_tensor(torch.tensor([0, 1]), mesh, [Replicate()])
    for context in (loss_in_parts, loss_parallel):
        with pytest.raises(MemoryError), context():
            raise MemoryError
        try:
            cross_entropy(logits, targets)
            told.append("computed")
        except ValueError as error:
            told.append(str(error).split("(")[0])
    with loss_parallel():  # which takes its leave
        pass
    return told


def test_an_error_takes_the_loss_in_parts_along(ranks):
    """After a step that raised, losses of whole logits raise too, in code
    that never asked for parts. Fails when PyTorch's own context ends."""
    assert ranks(1)(fail_inside) == [["computed", "loss_parallel"]]
