"""Which gradients travel together, and where they lie."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from scratchlm.scaling.data_parallel.buckets import (
    Bucket,
    n_bytes,
    plan_buckets,
)


def parameters(sizes):
    return [
        nn.Parameter(torch.zeros(size, dtype=dtype)) for size, dtype in sizes
    ]


SIZES = st.lists(
    st.tuples(
        st.integers(0, 20), st.sampled_from([torch.float32, torch.bfloat16])
    ),
    min_size=1,
    max_size=12,
)


@given(SIZES, st.integers(1, 60), st.integers(1, 60))
def test_each_parameter_is_in_one_bucket(sizes, most, first):
    """A parameter that is larger than a bucket is left out, the last bucket
    is forgotten since it is not full, or two types share one."""
    made = parameters(sizes)
    plan = plan_buckets(made, most=most, first=first)
    assert sorted(id(p) for some in plan for p in some) == sorted(
        map(id, made)
    )
    for some in plan:
        assert len({p.dtype for p in some}) == 1
        if len(some) > 1:  # full with its last and not before
            assert n_bytes(some[:-1]) < max(most, first)
    for dtype in (torch.float32, torch.bfloat16):
        order = [id(p) for some in plan for p in some if p.dtype == dtype]
        assert order == [id(p) for p in reversed(made) if p.dtype == dtype]


@pytest.mark.parametrize("name", ["most", "first"])
def test_a_bucket_of_nothing_is_refused(name):
    """Buckets that never fill."""
    with pytest.raises(ValueError, match=f"{name} is 0 bytes"):
        plan_buckets(parameters([(1, torch.float32)]), **{name: 0})


def test_gradients_are_views_of_one_tensor():
    """A gradient that is copied into the bucket and added to elsewhere."""
    first, second = parameters([(2, torch.float32), (3, torch.float32)])
    bucket = Bucket([first, second])
    first.grad = torch.ones(2)
    bucket.take(0)
    first.grad += 1  # as a second backward pass does
    bucket.take(0)
    bucket.close()
    assert bucket.flat.tolist() == [2, 2, 0, 0, 0, 1, 0]
    bucket.give()
    assert first.grad.data_ptr() == bucket.flat.data_ptr()
    assert second.grad is None


def test_what_a_step_leaves_behind_is_not_sent():
    """A gradient of the last step, where this one has none."""
    (p,) = parameters([(2, torch.float32)])
    bucket = Bucket([p])
    p.grad = torch.ones(2)
    bucket.take(0)
    bucket.close()
    bucket.begin()
    bucket.close()
    assert bucket.flat.tolist() == [0, 0, 0]
