"""One query, against PyTorch's attention."""

import pytest
import torch

from scratchlm.inference.cache.kernels.single_query import SingleQuery
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import CAUSAL, Window

DOCUMENTS = Documents.of(
    torch.tensor([[-1, -1, 0, 0, 0, 0], [0] * 3 + [1] * 3])
)


@pytest.mark.parametrize("scale", [None, 0.7])
@pytest.mark.parametrize("mask", [CAUSAL, Window(4), Window(9)])
@pytest.mark.parametrize("documents", [None, DOCUMENTS])
@pytest.mark.parametrize("n_tokens", [1, 3])
@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_equals_the_definition(n_kv_heads, n_tokens, documents, mask, scale):
    """Query heads that are given another head's keys; a mask left out."""
    draw = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, n_tokens, 8, generator=draw)
    k, v = torch.randn(2, 2, n_kv_heads, 6, 8, generator=draw)
    made = {"mask": mask, "scale": scale}
    expected = DotProduct(4, **made)(q, k, v[..., :5], documents)
    given = SingleQuery(4, **made)(q, k, v[..., :5], documents)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_softmax_is_in_float32(dtype):
    """Weights of many keys that a short type cannot add up."""
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 2, n, 16, generator=draw) for n in (1, 900, 900))
    exact = DotProduct(2)(q, k, v)
    given = SingleQuery(2)(*(x.to(dtype) for x in (q, k, v)))
    assert given.dtype == dtype
    error = (given.float() - exact).norm() / exact.norm()
    assert error < 0.02
