"""Cuts, against transformers', against sets by hand, and at their edges."""

from math import inf, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation import logits_process as theirs

from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.truncation import (
    MinP,
    TopK,
    TopP,
    Typical,
    hide,
    min_p,
    top_k,
    top_p,
    typical,
    wide,
)

HALF = [torch.bfloat16, torch.float16]
NOBODY = History([])


def logits_of(probabilities):
    return torch.tensor([probabilities]).log()


def kept(logits):
    return [row.nonzero()[:, 0].tolist() for row in (logits > -inf)]


def random_logits(dtype=torch.float32, size=(64, 500), scale=3.0):
    generator = torch.Generator().manual_seed(0)
    return (scale * torch.randn(size, generator=generator)).to(dtype)


PAIRS = [
    (TopK(7), theirs.TopKLogitsWarper(7)),
    (TopK(10_000), theirs.TopKLogitsWarper(10_000)),
    (TopP(0.3), theirs.TopPLogitsWarper(0.3)),
    (TopP(0.95), theirs.TopPLogitsWarper(0.95)),
    (TopP(1e-6), theirs.TopPLogitsWarper(1e-6)),
    (MinP(0.05), theirs.MinPLogitsWarper(0.05)),
    (MinP(0.5), theirs.MinPLogitsWarper(0.5)),
    (Typical(0.2), theirs.TypicalLogitsWarper(0.2)),
    (Typical(0.9), theirs.TypicalLogitsWarper(0.9)),
]


@pytest.mark.parametrize(("ours", "other"), PAIRS, ids=lambda p: str(p)[:20])
def test_equal_to_transformers(ours, other):
    """A cut that keeps one token more or less than everybody else's."""
    logits = random_logits()
    torch.testing.assert_close(
        ours(logits, NOBODY), other(None, logits), rtol=0, atol=0
    )


@pytest.mark.parametrize(("ours", "other"), PAIRS, ids=lambda p: str(p)[:20])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_equal_to_transformers_on_half_precision(ours, other, dtype):
    """Half precision has many ties, of which transformers takes others; the
    logits that stay are the same, and so are the types."""
    logits = random_logits(dtype)
    found = ours(logits, NOBODY)
    assert found.dtype == dtype
    expected = other(None, logits.float()).to(dtype)
    assert torch.equal(found.sort(dim=-1)[0], expected.sort(dim=-1)[0])


@given(
    weights=st.lists(st.integers(1, 6), min_size=1, max_size=8),
    share=st.integers(0, 32),
)
def test_top_p_is_the_smallest_set(weights, share):
    """In the order of weight, then of id, until the mass is reached; p lies
    between two sums, so that no rounding decides."""
    rest = 32 - sum(weights)
    weights = [*weights, rest] if rest > 0 else weights
    total = sum(weights)
    order = sorted(range(len(weights)), key=lambda i: (-weights[i], i))
    expected, mass = [order[0]], weights[order[0]]
    for i in order[1:]:
        if mass < share:
            expected.append(i)
            mass += weights[i]
    p = min(max(share - 0.5, 0) / total, 1.0)
    logits = logits_of([w / total for w in weights])
    assert kept(top_p(logits, p)) == [sorted(expected)]


def test_the_token_that_crosses_p_stays():
    """reasoning-from-scratch#164: the token that crosses p was dropped, so
    that the nucleus had less than p, and with p below the likeliest token's
    probability nothing."""
    logits = logits_of([0.2, 0.5, 0.3])
    assert kept(top_p(logits, 0.6)) == [[1, 2]]
    assert kept(top_p(logits, 0.79)) == [[1, 2]]
    assert kept(top_p(logits, 0.81)) == [[0, 1, 2]]
    assert kept(top_p(logits, 0.4)) == [[1]]


@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
@pytest.mark.parametrize("p", [0.0, 1e-30, 1e-8, 1e-3])
def test_a_tiny_p_keeps_the_likeliest(dtype, p):
    """mlx-lm#1912: a tiny p masked every token, and what was drawn was
    noise. transformers#19839: top_p = 0 gave NaN."""
    logits = random_logits(dtype)
    found = top_p(logits, p)
    assert kept(found) == [[i] for i in logits.argmax(-1).tolist()]
    assert not found.isnan().any()
    assert torch.equal(found.float().softmax(-1).amax(-1), torch.ones(64))


@pytest.mark.parametrize("dtype", [torch.float32, *HALF], ids=str)
def test_p_of_one_keeps_all(dtype):
    """A running sum that rounds up to 1 before its end loses the tail."""
    logits = random_logits(dtype, (2, 50_000), 1.0)
    for cut in (top_p, typical):
        found = cut(logits, 1)
        assert torch.equal(found, logits)
        assert found is not logits


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_mass_in_half_precision_is_right(dtype):
    """Summed in bfloat16, a mass next to one moves in steps of a 256th, and
    0.999 is taken for one too early."""
    n, p = 10_000, 0.999
    logits = torch.zeros(1, n, dtype=dtype)
    assert len(kept(top_p(logits, p))[0]) == pytest.approx(n * p, abs=1)
    summed = logits.softmax(-1).cumsum(-1)
    assert int((summed < p).sum()) != pytest.approx(n * p, abs=3)


def test_ties_are_settled_by_id_or_stay_together():
    """A result that depends on how a machine sorts equal numbers."""
    logits = torch.zeros(1, 8)
    assert kept(top_p(logits, 0.0)) == [[0]]
    assert kept(top_p(logits, 0.3)) == [[0, 1, 2]]
    assert kept(top_k(logits, 2)) == [list(range(8))]
    assert kept(min_p(logits, 1.0)) == [list(range(8))]
    assert kept(typical(logits, 0.3)) == [list(range(8))]


@pytest.mark.parametrize(
    "cut", [TopK(3), TopP(0.9), TopP(0.0), MinP(0.1), Typical(0.9)], ids=str
)
def test_what_is_hidden_stays_hidden(cut):
    """A grammar's mask that a cut behind it lifts again, or that turns the
    entropy into NaN and so hides the rest."""
    logits = random_logits(size=(5, 40))
    logits[:, ::2] = -inf
    logits[3, 1:] = -inf  # one token is left
    logits[3, 0] = 1.0
    logits[4] = -inf  # none
    found = cut(logits, NOBODY)
    assert not found.isnan().any()
    assert (found[:, ::2] == -inf)[:3].all()
    assert all(kept(found)[:4])
    assert kept(found)[3:] == [[0], []]
    visible = cut(logits[:3, 1::2], NOBODY)
    assert torch.equal(found[:3, 1::2], visible)


def test_a_cut_leaves_the_logits_as_they_are():
    """Written in place, the next sampler of the same logits sees the cut."""
    logits = random_logits()
    before = logits.clone()
    for cut in [TopK(3), TopP(0.5), MinP(0.5), Typical(0.5), MinP(0.0)]:
        found = cut(logits, NOBODY)
        assert torch.equal(logits, before)
        left = found > -inf
        assert torch.equal(found[left], logits[left])


def test_min_p_by_hand():
    """The threshold relative to one, not to the likeliest."""
    logits = logits_of([0.4, 0.25, 0.2, 0.15])
    assert kept(min_p(logits, 0.45)) == [[0, 1, 2]]
    assert kept(min_p(logits, 0.6)) == [[0, 1]]
    assert kept(min_p(logits, 1.0)) == [[0]]
    assert kept(min_p(logits, 0.0)) == [[0, 1, 2, 3]]


def test_typical_may_drop_the_likeliest():
    """Sorted by probability it would be another top-p. The entropy is 1.8
    nats: a half has 0.7, a tenth 2.3, so tenths are the more typical."""
    logits = logits_of([0.5, *[0.1] * 4, *[0.025] * 4])
    assert kept(typical(logits, 0.3)) == [[1, 2, 3, 4]]
    assert kept(typical(logits, 0.5)) == [[0, 1, 2, 3, 4]]


def test_wide_is_at_least_float32():
    """Double precision that is narrowed on the way loses what it was for."""
    for dtype in [*HALF, torch.float32]:
        assert wide(torch.zeros(1, 1, dtype=dtype)).dtype == torch.float32
    assert wide(torch.zeros(1, 1).double()).dtype == torch.float64


def test_hide_covers_what_it_is_told():
    """The mask the other way round."""
    hidden = torch.tensor([[True, False]])
    assert hide(torch.zeros(1, 2), hidden).tolist() == [[-inf, 0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TopK(0), "top_k is 0; give a whole number, 1 or more"),
        (lambda: TopP(-0.1), "top_p is -0.1; give a mass, from 0 up to 1"),
        (lambda: TopP(1.1), "top_p is 1.1"),
        (lambda: TopP(float("nan")), "top_p is nan"),
        (lambda: MinP(1.5), "min_p is 1.5; give a part, from 0 up to 1"),
        (lambda: Typical(0.0), "typical is 0.0; give a mass, above 0"),
        (lambda: Typical(float("nan")), "typical is nan"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    """Found in the middle of a text, or never."""
    with pytest.raises(ValueError, match=message):
        make()


def test_min_p_as_a_logarithm_is_the_ratio():
    """A threshold on logits that forgets the logarithm."""
    logits = torch.tensor([[0.0, log(0.5) + 1e-6, log(0.5) - 1e-6]])
    assert kept(min_p(logits, 0.5)) == [[0, 1]]
