"""Shapes, against the parameters that the book's models have."""

from dataclasses import replace
from functools import partial

import pytest

from scratchlm.model.block import MLP, SwiGLU
from scratchlm.model.efficient_attention import LatentAttention
from scratchlm.model.published import llama3, mixtral, parameters, tiny
from scratchlm.scaling.accounting import NAMES, gpt, named, shape_of
from scratchlm.scaling.accounting.model_shape import FAMILIES


@pytest.mark.parametrize("name", [n for n in NAMES if n != "gpt3-175b"])
def test_a_shape_has_the_parameters_of_its_model(name):
    """A norm, a bias or a tied head that is counted twice or not at all."""
    family, _, size = name.partition("-")
    make, sizes = FAMILIES[family]
    (written,) = (each for each in sizes if each.lower() == size)
    expected = sum(parameters(make(written)).values())
    assert named(name).n_weights == expected


def test_published_numbers_of_parameters():
    """A model with the right name and the wrong width."""
    assert named("gpt3-175b").n_weights == pytest.approx(175e9, rel=0.01)
    assert named("llama3-405b").n_weights == pytest.approx(405e9, rel=0.01)
    # MosaicML prints them to the unit.
    mpt = replace(gpt("mpt-7b", 32, 4096, 32), vocab_size=50_368)
    assert mpt.n_weights == 6_658_859_008


def test_of_experts_those_count_that_a_token_goes_to():
    """All experts in the operations, or two in the memory."""
    shape = shape_of(mixtral("8x7B"))
    assert shape.n_weights == pytest.approx(46.7e9, rel=0.01)
    assert shape.n_active == pytest.approx(12.9e9, rel=0.01)
    dense = shape_of(llama3("8B"))
    assert dense.n_active == dense.n_weights


def test_products_are_listed_in_their_order():
    """Every second product that is another one than torchtitan's."""
    wide = shape_of(llama3("8B")).product_widths
    assert wide == (4096, 1024, 1024, 4096, 14_336, 14_336, 4096)
    assert gpt("x", 2, 64, 4).product_widths == (64, 64, 64, 64, 256, 64)


def test_a_model_without_a_formula_is_refused():
    """A latent cache or mixed layers that are counted as plain ones."""
    latent = partial(LatentAttention, d_latent=32, d_rotary=16)
    with pytest.raises(ValueError, match="latent attention"):
        shape_of(replace(tiny(128), attention=latent))
    with pytest.raises(ValueError, match="2 kinds of feedforward"):
        shape_of(replace(tiny(128), feedforward=(MLP, SwiGLU)))
    with pytest.raises(ValueError, match="model is 'llama9-1b'"):
        named("llama9-1b")
