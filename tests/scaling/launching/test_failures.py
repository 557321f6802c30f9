"""Checkpoints and failures: what a formula says, and what a clock does."""

from math import exp

import pytest

from scratchlm.scaling.launching.failures import (
    Failures,
    between_failures,
    daly_interval,
    failure_probability,
    goodput,
    simulate_goodput,
    young_interval,
)

# A failure every three hours, a checkpoint of a minute, ten to start again.
USUAL = Failures(mean_time=10_800.0, checkpoint=60.0, restart=600.0)


def best(failures):
    """The interval of the largest goodput, by trying."""
    tried = [failures.checkpoint * 1.002**i for i in range(4000)]
    return max(tried, key=lambda interval: goodput(interval, failures))


@pytest.mark.parametrize("interval", [200.0, 1140.0, 5000.0])
def test_the_clock_agrees_with_the_formula(interval):
    """A restart that cannot fail, a checkpoint that is not lost, or work
    that is counted twice."""
    found = [
        simulate_goodput(interval, USUAL, work=3e6, seed=seed)
        for seed in range(20)
    ]
    mean = sum(found) / len(found)
    assert mean == pytest.approx(goodput(interval, USUAL), rel=0.01)


def test_a_restart_fails_too():
    """With a restart as long as the time between failures, e of them are
    begun for each that succeeds."""
    hard = Failures(mean_time=100.0, checkpoint=1.0, restart=100.0)
    mean = sum(
        simulate_goodput(14.0, hard, work=5e3, seed=seed) for seed in range(20)
    )
    assert mean / 20 == pytest.approx(goodput(14.0, hard), rel=0.05)


def test_without_failures_only_checkpoints_cost():
    """A formula that goes to zero where nothing fails."""
    safe = Failures(mean_time=1e12, checkpoint=1.0)
    assert goodput(9.0, safe) == pytest.approx(0.9)
    assert simulate_goodput(9.0, safe, work=900.0, seed=0) == 0.9


@pytest.mark.parametrize("checkpoint", [1.0, 60.0, 600.0, 3000.0])
def test_daly_s_interval_is_the_best(checkpoint):
    """A sign, or C that is not taken off."""
    failures = Failures(mean_time=10_800.0, checkpoint=checkpoint)
    assert daly_interval(failures) == pytest.approx(best(failures), rel=0.01)


def test_young_s_interval_is_the_first_order():
    """A root of CM, or of 4CM."""
    assert young_interval(USUAL) == pytest.approx((2 * 60 * 10_800) ** 0.5)
    cheap = Failures(mean_time=1e6, checkpoint=1.0)
    assert young_interval(cheap) == pytest.approx(best(cheap), rel=0.01)


def test_where_checkpoints_take_longer_than_failures_let_them():
    """A square root whose series has long diverged."""
    hard = Failures(mean_time=10.0, checkpoint=30.0)
    assert daly_interval(hard) == 10.0


def test_many_devices_fail_as_often_as_one_of_them():
    """Failures of one device, taken for those of a cluster."""
    assert between_failures(1000.0, 8) == 125.0
    assert failure_probability(125.0, 125.0) == pytest.approx(1 - exp(-1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Failures(mean_time=0.0, checkpoint=1.0), "above 0"),
        (lambda: Failures(mean_time=1.0, checkpoint=0.0), "above 0"),
        (
            lambda: Failures(mean_time=1.0, checkpoint=1.0, restart=-1.0),
            "restart is -1.0; give seconds from 0 on",
        ),
        (lambda: goodput(0.0, USUAL), "interval is 0.0"),
        (
            lambda: simulate_goodput(-1.0, USUAL, work=1.0, seed=0),
            "interval is -1.0",
        ),
        (
            lambda: simulate_goodput(1.0, USUAL, work=0.0, seed=0),
            "work is 0.0",
        ),
        (lambda: between_failures(1.0, 0), "n_devices 0; give"),
    ],
)
def test_numbers_out_of_range_are_refused(call, message):
    """A goodput above 1, or a run that never ends."""
    with pytest.raises(ValueError, match=message):
        call()
