"""Programs drawn at random give what PyTorch gives, and its gradients."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from scratchlm.training.backprop import functions
from scratchlm.training.backprop.autograd import Variable

BINARY = {
    "add": lambda lib, a, b: a + b,
    "sub": lambda lib, a, b: a - b,
    "mul": lambda lib, a, b: a * b,
    "div": lambda lib, a, b: a / (b * b + 1.0),
}
UNARY = {
    "tanh": lambda lib, a, i: lib.tanh(a),
    "exp": lambda lib, a, i: lib.exp(lib.tanh(a)),
    "log": lambda lib, a, i: lib.log(a * a + 1.0),
    "relu": lambda lib, a, i: lib.relu(a),
    "cube": lambda lib, a, i: lib.tanh(a) ** 3,
    "neg": lambda lib, a, i: 2.0 - (-a),
}
STEPS = st.tuples(
    st.sampled_from([*BINARY, *UNARY, "sum", "mean"]),
    st.integers(0, 99),
    st.integers(0, 99),
)


def run(lib, leaves, steps, keep):
    """Run a program on a pool of results; its last result is the loss."""
    pool = list(leaves)
    for name, i, j in steps:
        a, b = pool[i % len(pool)], pool[j % len(pool)]
        if name in BINARY:
            pool.append(BINARY[name](lib, a, b))
        elif name in UNARY:
            pool.append(UNARY[name](lib, a, j))
        elif a.ndim:
            pool.append(getattr(a, name)(j % a.ndim, **{keep: True}))
    total = pool[0].sum()
    for each in pool[1:]:
        total = total + lib.tanh(each).sum()
    return total


@settings(max_examples=50)
@given(
    shapes=mutually_broadcastable_shapes(
        num_shapes=3, min_dims=0, max_dims=3, max_side=3
    ),
    steps=st.lists(STEPS, min_size=1, max_size=8),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_graphs_equal_torchs(shapes, steps, seed):
    """Broadcasting on either side, sums over any axis, and results that are
    used in several places: forward, and the gradient of each input."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in shapes.input_shapes]
    ours = [Variable(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    here = run(functions, ours, steps, "keepdims")
    there = run(torch, theirs, steps, "keepdim")
    np.testing.assert_allclose(here.data, there.item(), rtol=1e-9, atol=1e-9)
    here.backward()
    there.backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad.shape == a.shape
        np.testing.assert_allclose(
            a.grad, b.grad.numpy(), rtol=1e-7, atol=1e-7
        )


@settings(max_examples=12)
@given(
    batches=mutually_broadcastable_shapes(
        num_shapes=2, min_dims=0, max_dims=2, max_side=3
    ),
    sizes=st.tuples(*[st.integers(1, 3)] * 3),
)
def test_products_of_matrices_equal_torchs(batches, sizes):
    """A factor on the wrong side, and a matrix shared by a batch whose
    gradient is that of one row."""
    rng = np.random.default_rng(0)
    left, inner, right = sizes
    one, two = batches.input_shapes
    arrays = (
        rng.normal(size=(*one, left, inner)),
        rng.normal(size=(*two, inner, right)),
    )
    a, b = (Variable(x, requires_grad=True) for x in arrays)
    c, d = (torch.tensor(x, requires_grad=True) for x in arrays)
    ours, theirs = a @ b, c @ d
    np.testing.assert_allclose(ours.data, theirs.detach(), atol=1e-12)
    seed = rng.normal(size=ours.shape)
    ours.backward(seed)
    theirs.backward(torch.tensor(seed))
    np.testing.assert_allclose(a.grad, c.grad, atol=1e-12)
    np.testing.assert_allclose(b.grad, d.grad, atol=1e-12)
