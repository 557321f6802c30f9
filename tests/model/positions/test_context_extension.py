from math import nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.embeddings.angles import rope_frequencies
from scratchlm.model.positions.context_extension import (
    Llama3Scaling,
    NTKAware,
    PositionInterpolation,
    YaRN,
)
from scratchlm.model.positions.rotary import Rotary

HEADS = [(64, 1e4, 2048), (128, 5e5, 8192), (32, 1e4, 64), (8, 1e6, 4096)]
LLAMA = Llama3Scaling(8.0, low_factor=1.0, high_factor=4.0, original=8192)


def computed(kind, *given, **settings):
    """Frequencies and attention factor of transformers.

    It is imported here, since it takes two seconds of each worker that does
    nothing but collect.
    """
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    return ROPE_INIT_FUNCTIONS[kind](LlamaConfig(**settings), "cpu", *given)


def theirs(kind, d_head, theta, original, **options):
    """The same, for one head of this width."""
    return computed(
        kind,
        hidden_size=d_head,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=d_head,
        max_position_embeddings=original,
        rope_parameters={"rope_type": kind, "rope_theta": theta, **options},
    )


def assert_same(scaling, kind, head, **options):
    frequencies, length = theirs(kind, *head, **options)
    ours = scaling(rope_frequencies(*head[:2]))
    torch.testing.assert_close(ours, frequencies, rtol=1e-6, atol=1e-6)
    assert Rotary(head[0], 1, scaling=scaling).length == pytest.approx(length)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("factor", [1.0, 4.0, 40.0])
class TestEqualsTransformers:
    def test_interpolation(self, head, factor):
        """Positions multiplied where they should be divided."""
        scaling = PositionInterpolation(factor)
        assert_same(scaling, "linear", head, factor=factor)

    @pytest.mark.parametrize("betas", [(32.0, 1.0), (4.0, 2.0), (500, 400)])
    def test_yarn(self, head, factor, betas):
        """A ramp along the turns, as in the paper, where the checkpoints
        ramp along the pairs; ends that are not rounded; one temperature
        for the scores where each side has its own."""
        fast, slow = betas
        scaling = YaRN(
            factor, original=head[2], beta_fast=fast, beta_slow=slow
        )
        assert_same(
            scaling,
            "yarn",
            head,
            factor=factor,
            beta_fast=fast,
            beta_slow=slow,
            original_max_position_embeddings=head[2],
        )

    @pytest.mark.parametrize("band", [(1.0, 4.0), (0.5, 0.75)])
    def test_llama3(self, head, factor, band):
        """The two bounds exchanged; a blend along the wavelength where
        Llama blends along the turns."""
        low, high = band
        scaling = Llama3Scaling(
            factor, low_factor=low, high_factor=high, original=head[2]
        )
        assert_same(
            scaling,
            "llama3",
            head,
            factor=factor,
            low_freq_factor=low,
            high_freq_factor=high,
            original_max_position_embeddings=head[2],
        )

    def test_ntk_aware(self, head, factor):
        """An exponent H / (H - 2) that was forgotten: the slowest pair
        then still leaves the angles that training reached."""
        # Their `dynamic` kind, at `factor` times the length and with its
        # own factor at 1, has the base of this one.
        d_head, theta, original = head
        frequencies, _ = computed(
            "dynamic",
            int(factor * original),
            head_dim=d_head,
            max_position_embeddings=original,
            rope_parameters={
                "rope_type": "dynamic",
                "rope_theta": theta,
                "factor": 1.0,
            },
        )
        ours = NTKAware(factor)(rope_frequencies(d_head, theta))
        torch.testing.assert_close(ours, frequencies, rtol=2e-6, atol=1e-6)


def every(factor, original):
    return [
        PositionInterpolation(factor),
        NTKAware(factor),
        YaRN(factor, original=original),
        Llama3Scaling(
            factor, low_factor=1.0, high_factor=4.0, original=original
        ),
    ]


@given(
    d_head=st.integers(2, 64).map(lambda half: 2 * half),
    theta=st.floats(10.0, 1e7),
    factor=st.floats(1.0, 100.0),
    original=st.integers(1, 100_000),
)
def test_pairs_slow_down_by_the_factor_at_most(
    d_head, theta, factor, original
):
    """A pair that gets faster, or slower than all others would need."""
    plain = rope_frequencies(d_head, theta)
    for scaling in every(factor, original):
        ratio = plain / scaling(plain)
        assert ratio.min() > 1 - 1e-5, scaling
        assert ratio.max() < factor * (1 + 1e-5), scaling
        # The slow end is slowed no less than the fast end.
        assert (ratio.diff() > -1e-4 * factor).all(), scaling


def test_a_length_of_one_changes_nothing():
    """A blend that is off by one at its ends, or a temperature other than
    1 for a context that was not extended."""
    plain = rope_frequencies(64, 1e4)
    for scaling in every(1.0, 2048):
        torch.testing.assert_close(scaling(plain), plain)
    assert YaRN(1.0, original=2048).length == 1.0


def test_each_keeps_what_it_promises_to_keep():
    """Fast pairs that were slowed: neighbours can no longer be told apart."""
    plain = rope_frequencies(128, 5e5)
    turns = 8192 * plain / torch.pi / 2
    for scaling, kept in [(LLAMA, 4.0), (YaRN(8.0, original=8192), 45.0)]:
        ratio = plain / scaling(plain)
        torch.testing.assert_close(
            ratio[turns > kept], torch.ones(int((turns > kept).sum()))
        )
        slow = turns < 0.9
        torch.testing.assert_close(
            ratio[slow], torch.full((int(slow.sum()),), 8.0)
        )
    ratio = plain / NTKAware(8.0)(plain)
    assert ratio[0] == 1
    assert ratio[-1] == pytest.approx(8.0)


def test_a_given_attention_factor_is_taken():
    """A checkpoint's own factor, 0 digits after the point included, that
    loses against the formula."""
    plain = YaRN(4.0, original=64)
    assert plain.length == pytest.approx(1.1386, abs=1e-4)
    given_one = YaRN(4.0, original=64, attention_factor=1.0)
    assert given_one.length == 1.0
    assert Rotary(8, 64, scaling=given_one).length == 1.0


@pytest.mark.parametrize("bad", [0.5, nan, float("inf"), -4.0])
def test_a_factor_that_shortens_is_refused(bad):
    """A factor that was meant the other way round, or that is no number."""
    for make in [
        PositionInterpolation,
        NTKAware,
        lambda factor: YaRN(factor, original=64),
        lambda factor: Llama3Scaling(
            factor, low_factor=1.0, high_factor=4.0, original=64
        ),
    ]:
        with pytest.raises(ValueError, match=f"factor is {bad}"):
            make(bad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: YaRN(2.0, original=0), "original is 0"),
        (
            lambda: YaRN(2.0, original=8, beta_fast=1.0, beta_slow=2.0),
            "beta_slow is 2.0 and beta_fast is 1.0",
        ),
        (
            lambda: YaRN(2.0, original=8, attention_factor=-1.0),
            "attention_factor is -1",
        ),
        (
            lambda: Llama3Scaling(
                2.0, low_factor=4.0, high_factor=4.0, original=8
            ),
            "low_factor is 4.0 and high_factor is 4.0",
        ),
        (
            lambda: Llama3Scaling(
                2.0, low_factor=1.0, high_factor=4.0, original=-8
            ),
            "original is -8",
        ),
    ],
)
def test_numbers_out_of_range_are_named(make, message):
    """A division by zero, or a band that is upside down, found as NaN in
    the loss an hour later."""
    with pytest.raises(ValueError, match=message):
        make()


def test_one_pair_has_no_ends():
    """A division by zero for a head of two axes."""
    for scaling in [NTKAware(2.0), YaRN(2.0, original=8)]:
        with pytest.raises(ValueError, match="1 pair of axes"):
            scaling(rope_frequencies(2, 1e4))


@pytest.mark.parametrize("theta", [1.0, 0.5, 1e300])
def test_yarn_needs_pairs_that_slow_down(theta):
    """A division by zero where all pairs turn alike, from a number that a
    stranger wrote into a file."""
    scaling = YaRN(4.0, original=64)
    with pytest.raises(ValueError, match="use a theta above 1"):
        Rotary(64, 0, theta=theta, scaling=scaling)
