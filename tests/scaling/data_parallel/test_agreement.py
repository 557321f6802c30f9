"""Ranks that differ say so, all of them, before the first step."""

import pytest
import torch
from torch import nn

from scratchlm.scaling.data_parallel.agreement import (
    broadcast_buffers,
    broadcast_model,
    fingerprint,
    require_distinct,
    require_same,
)


class WithBuffer(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.layer = nn.Linear(2, width).bfloat16()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("seen", torch.zeros(()), persistent=False)


def change(model, what):
    with torch.no_grad():
        if what == "weight":
            model.layer.weight[1, 0] += 1
        elif what == "0-d":
            model.scale += 1
        elif what == "buffer":
            model.seen += 1
        elif what == "name":
            model.other = nn.Linear(1, 1)
        elif what == "type":
            model.layer.float()


WHERE = {
    "weight": "layer.weight is bfloat16[3, 2]",
    "0-d": "scale is float32[]",
    "buffer": "seen is float32[]",
    "name": "other.weight is float32[1, 1]",
    "type": "layer.weight is float32[3, 2]",
}


def told(group, check, *args):
    try:
        check(group, *args)
    except ValueError as error:
        return str(error)
    return ""


def one_differs(group, what):
    torch.manual_seed(0)
    model = WithBuffer()
    if group.rank() == 1:
        change(model, what)
    return told(group, lambda g: require_same(fingerprint(model), g))


@pytest.mark.parametrize("what", WHERE)
def test_a_rank_with_another_model_is_named_on_every_rank(ranks, what):
    """The one rank raises and the others wait; or nobody notices a seed that
    differs, and the sum of gradients belongs to no model."""
    messages = ranks(3)(one_differs, what)
    assert len(set(messages)) == 1
    assert WHERE[what] in messages[0]
    assert "on rank 1" in messages[0]
    assert "on rank 2" not in messages[0]


def test_ranks_that_agree_go_on(ranks):
    """A hash of memory addresses, or of the order of a dictionary."""
    assert ranks(3)(one_differs, "nothing") == [""] * 3


def many_differ(group):
    facts = {f"x{i}": str(group.rank()) for i in range(40)}
    return told(group, lambda g: require_same(facts, g))


def test_a_message_stays_short(ranks):
    """Hundreds of lines for a model that was drawn from another seed."""
    messages = ranks(2)(many_differ)
    assert "and 35 more" in messages[0]


def broadcast(group, source):
    torch.manual_seed(group.rank())
    model = WithBuffer()
    model.seen += group.rank()
    # Not contiguous: the copy that travels is not the parameter.
    model.layer.weight.data = model.layer.weight.data.t().contiguous().t()
    own = fingerprint(model)
    broadcast_model(model, group, source=source)
    require_same(fingerprint(model), group)
    return own, fingerprint(model)


def test_all_ranks_have_what_one_had(ranks):
    """Parameters without buffers; or a copy that nobody copies back."""
    found = ranks(3)(broadcast, 2)
    for own, now in found[:2]:
        assert own != now
        assert now == found[2][0]
    assert found[2][0] == found[2][1]


def broadcast_misfit(group):
    model = WithBuffer(width=3 + group.rank())
    return told(group, lambda g: broadcast_model(model, g))


def test_a_model_of_another_shape_is_refused_before_it_is_filled(ranks):
    """gloo reads bytes of another tensor, or the ranks hang."""
    for message in ranks(2)(broadcast_misfit):
        assert "bfloat16[4, 2] on rank 1" in message


def running_mean(group):
    model = WithBuffer()
    model.seen += group.rank() + 5
    weights = fingerprint(model.layer)
    broadcast_buffers(model, group, source=1)
    return float(model.seen), weights == fingerprint(model.layer)


def test_buffers_can_be_sent_alone(ranks):
    """Statistics of each rank's own rows, from which evaluation differs."""
    assert ranks(2)(running_mean) == [(6.0, True)] * 2


def same_rows(group, rows):
    return told(group, lambda g: require_distinct(rows[g.rank()], g))


def test_ranks_that_read_the_same_rows_are_told(ranks):
    """Every rank reads from the beginning: a batch of W times the rows, by
    the log, with as much noise as one rank's."""
    messages = ranks(3)(same_rows, [b"ab", b"cd", b"ab"])
    assert all("ranks 0 and 2 have the same rows" in m for m in messages)
    assert ranks(3)(same_rows, [b"ab", b"cd", b"ba"]) == [""] * 3
