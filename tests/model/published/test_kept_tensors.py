from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
)
from scratchlm.model.attention.masks import Everything
from scratchlm.model.published.accounting import (
    LAYERED,
    activation_bytes,
    saved_bytes,
)
from scratchlm.model.published.kept_tensors import KEPT, Shape, kept
from scratchlm.model.published.kernel_parts import (
    with_definitions,
    with_kernels,
)
from scratchlm.model.published.part_costs import read


def total(config, batch_size, n_tokens, dtype):
    return sum(activation_bytes(config, batch_size, n_tokens, dtype).values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", [with_definitions, with_kernels])
def test_the_formulas_are_what_autograd_keeps(
    variant, form, dtype, build, draw
):
    """A tensor counted twice because two operations keep it, or left out
    because it is kept by one that looks free. Five percent are allowed:
    tables of angles, tokens and targets are left out on purpose."""
    parts = (
        read(with_definitions(variant).part(name, layer))[0]
        for name in LAYERED
        for layer in range(variant.n_layers)
    )
    variant = form(variant)
    if not set(parts) <= set(KEPT):
        with pytest.raises(ValueError, match="no formula"):
            total(variant, 6, 48, dtype)
        return
    model = build(variant).to(dtype)
    measured = saved_bytes(model, draw(variant, 48, n_rows=6))
    assert total(variant, 6, 48, dtype) == pytest.approx(measured, rel=0.05)


def test_memory_grows_with_the_tokens_and_with_the_square_of_scores(small):
    """A formula that knows a kernel's memory as that of the plain scores."""
    scored = replace(small, core=ScoredAttention)
    for config, most in ((small, 2.001), (scored, 4)):
        once, twice = (
            total(config, 2, n_tokens, torch.float32)
            for n_tokens in (2**14, 2**15)
        )
        assert most - 0.1 < twice / once <= most


def test_a_mask_that_hides_nothing_is_not_handed_over(small):
    """T squared bytes for a mask that does not exist."""
    shape = Shape(1, 64, torch.float32)
    seen = partial(DotProduct, mask=Everything())
    assert kept(seen, small, shape) == kept(DotProduct, small, shape)


def test_a_part_without_a_formula_is_named(small):
    """A part of the reader's own that keeps nothing, as far as we know."""
    with pytest.raises(ValueError, match=r"no formula for ReLU; .*saved_by"):
        kept(nn.ReLU, small, Shape(1, 2, torch.float32))
