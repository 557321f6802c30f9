"""Sums after the backward pass: each parameter, or one vector."""

import pytest
import torch

from scratchlm.scaling.data_parallel.after_backward import (
    sum_each,
    sum_flat,
)

WAYS = {"each": sum_each, "flat": sum_flat}


def summed(group, way):
    shapes = [(2, 3), (), (4,), (1, 2)]
    parameters = [torch.zeros(shape, requires_grad=True) for shape in shapes]
    for index, parameter in enumerate(parameters):
        if index != group.rank():  # no gradient of one parameter
            parameter.grad = torch.full_like(parameter, 10.0**index)
    WAYS[way](parameters, group)
    return [parameter.grad for parameter in parameters]


@pytest.mark.parametrize("way", WAYS)
def test_gradients_are_summed_over_ranks(ranks, way):
    """A mean; weights that are summed instead of gradients; a parameter
    without a gradient on one rank, for which the others wait."""
    for found in ranks(3)(summed, way):
        values = [2.0, 20.0, 200.0, 3000.0]
        shapes = [(2, 3), (), (4,), (1, 2)]
        for gradient, shape, value in zip(found, shapes, values, strict=True):
            assert gradient.shape == shape
            assert gradient.eq(value).all()
