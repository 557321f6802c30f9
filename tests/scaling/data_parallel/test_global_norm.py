"""The length of a gradient of which ranks hold parts and copies."""

import math

import torch

from scratchlm.scaling.data_parallel.global_norm import global_norm


def given(*values):
    """A parameter with a gradient, or without one."""
    p = torch.nn.Parameter(torch.zeros(len(values)))
    if values:
        p.grad = torch.tensor(values)
    return p


def norms(group):
    part = given(3.0 * (group.rank() + 1), 0.0)  # 3 and 6
    copy = given(2.0)
    return (
        float(global_norm([part, given()], group, copies=[copy])),
        float(global_norm([part], group)),
        float(global_norm([], group, copies=[copy])),
        float(global_norm([], group)),
    )


def test_parts_count_on_each_rank_and_copies_once(ranks):
    """Copies counted once for each rank, or one rank's parts for all."""
    due = math.sqrt(9 + 36 + 4), math.sqrt(9 + 36), 2.0, 0.0
    assert ranks(2)(norms) == [due, due]


def test_squares_do_not_overflow(ranks):
    """A gradient of a few large numbers, whose squares single precision
    cannot hold: the norm is infinite, and nothing is ever clipped."""

    def large(group):
        return float(global_norm([given(1e30)], group))

    assert ranks(2)(large) == [math.sqrt(2) * float(torch.tensor(1e30))] * 2
