import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.kernels.wide_backward import WideBackward
from scratchlm.model.attention.masks import CAUSAL, Everything, Window


def half(n_kv_heads, n_tokens, d_head):
    """Queries, keys and values as layers make them: heads beside heads."""
    torch.manual_seed(0)
    heads = 2 * n_kv_heads, n_kv_heads, n_kv_heads
    drawn = [torch.randn(2, n_tokens, n, d_head) for n in heads]
    return [x.bfloat16().transpose(1, 2).requires_grad_() for x in drawn]


def errors(function, inputs, grad):
    """How far a function's gradients are from those in double precision."""
    exact = [x.detach().double().requires_grad_() for x in inputs]
    core = DotProduct(0, scale=0.3)
    wanted = torch.autograd.grad(core(*exact), exact, grad.double())
    found = torch.autograd.grad(function(*inputs), inputs, grad)
    assert all(x.dtype == torch.bfloat16 for x in found)
    pairs = zip(found, wanted, strict=True)
    return [float((a.double() - b).square().mean().sqrt()) for a, b in pairs]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mask", [CAUSAL, Everything(), Window(5)], ids=str)
@pytest.mark.parametrize("n_queries", [1, 5, 12])
def test_it_equals_the_definition(dtype, mask, n_queries):
    """A mask, a scale or a group's second head that one path forgets, with
    more keys than queries, and as many."""
    found = []
    for core in (DotProduct, WideBackward):
        q, k, v = inputs = [
            x.detach().to(dtype).requires_grad_() for x in half(2, 12, 8)
        ]
        out = core(4, mask=mask, scale=0.3)(q[:, :, -n_queries:], k, v)
        grads = torch.autograd.grad(out.square().sum(), inputs)
        found.append([out, *grads])
    assert all(x.dtype == dtype for x in found[1])
    bound = 1e-5 if dtype == torch.float32 else 0.05
    torch.testing.assert_close(*found, rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mask", [CAUSAL, Everything(), Window(3)], ids=str)
@pytest.mark.parametrize("n_queries", [1, 5, 12])
@pytest.mark.parametrize("d_head", [8, 64])
def test_documents_equal_the_definition(dtype, mask, n_queries, d_head):
    """Documents that the forward hides and the backward does not; a mask in
    a type of which PyTorch wants another."""
    rows = [[0] * 4 + [1] * 5 + [2] + [-1] * 2, [0] * 7 + [1] * 5]
    documents, found = Documents.of(torch.tensor(rows)), []
    for kind in (DotProduct, WideBackward):
        q, k, v = inputs = [
            x.detach().to(dtype).requires_grad_() for x in half(2, 12, d_head)
        ]
        core = kind(4, mask=mask, scale=0.3)
        out = core(q[:, :, -n_queries:], k, v, documents)
        grads = torch.autograd.grad(out.square().sum(), inputs)
        found.append([out, *grads])
    assert all(x.dtype == dtype for x in found[1])
    bound = 1e-5 if dtype == torch.float32 else 0.05
    torch.testing.assert_close(*found, rtol=bound, atol=bound)


@pytest.mark.parametrize("run", [lambda f: f, torch.compile])
def test_narrow_heads_in_half_are_nearer_to_the_truth(run, unchecked):
    """A backward that stays in bfloat16, or one that loses the scale, the
    mask or a group's other query head."""
    inputs = half(3, 40, 16)
    grad = torch.randn(2, 6, 40, 16).bfloat16()

    def theirs(q, k, v):
        return F.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=0.3, enable_gqa=True
        )

    ours = errors(run(WideBackward(6, scale=0.3)), inputs, grad)
    assert ours == pytest.approx([0, 0, 0], abs=3e-3)
    halves = errors(theirs, inputs, grad)
    assert all(a < 0.9 * b for a, b in zip(ours, halves, strict=True))


def test_half_precision_that_sees_everything():
    """More keys than queries, and no mask."""
    q, k, v = half(2, 12, 8)
    out = WideBackward(4, mask=Everything())(q[:, :, 5:], k, v)
    wide = [x.detach().float() for x in (q[:, :, 5:], k, v)]
    expected = WideBackward(4, mask=Everything())(*wide)
    torch.testing.assert_close(out.float(), expected, atol=0.02, rtol=0.02)
    out.sum().backward()
    assert not q.grad[:, :, :5].any()
    assert q.grad[:, :, 5:].all()


def test_half_precision_laid_out_in_another_way():
    """The kernel below PyTorch's name returns nan for axes that are not side
    by side, and ends the process if there is no token."""
    q, k, v = (x.detach() for x in half(2, 12, 8))
    odd = [x.mT.contiguous().mT.requires_grad_() for x in (q, k, v)]
    expected = WideBackward(4)(q, k, v)
    torch.testing.assert_close(
        WideBackward(4)(*odd), expected, atol=0.01, rtol=0.02
    )
    inputs = half(2, 12, 8)
    out, grad = WideBackward(4)(*inputs), torch.randn(2, 4, 8, 12).bfloat16()
    grads = [
        torch.autograd.grad(out, inputs, each, retain_graph=True)
        for each in (grad.mT, grad.mT.contiguous())
    ]
    torch.testing.assert_close(*grads)
    none = [x[:, :, :0].requires_grad_() for x in (q, k, v)]
    assert WideBackward(4)(*none).shape == (2, 4, 0, 8)
