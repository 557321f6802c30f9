"""Clusters: which link a group of processes has."""

import pytest

from scratchlm.scaling.accounting import CHIPS, Cluster, cluster


def test_a_group_in_a_node_has_the_fast_links():
    """A network's rate for neighbours, or NVLink's between nodes."""
    where = cluster("h100", 64)
    assert where.rate(8, 1) == where.chip.link
    assert where.rate(2, 4) == where.chip.link
    assert where.rate(8, 8) == where.chip.network


def test_members_of_a_node_share_its_adapters():
    """One adapter's rate for eight processes that each have one."""
    where = cluster("a100", 64)
    assert where.rate(64, 1) == 8 * where.chip.network
    assert where.rate(32, 2) == 4 * where.chip.network
    assert where.rate(16, 4) == 2 * where.chip.network


def test_no_group_is_faster_than_its_links():
    """Many adapters that together pass what one chip can send."""
    where = cluster("h100", 256, 16)
    assert where.rate(256, 1) == where.chip.link


def test_products_are_at_most_what_a_data_sheet_promises():
    """A rate in percent, or a peak with the zeros of sparse matrices."""
    for chip in CHIPS.values():
        assert 0.3 < chip.kernel_rate < 1
        assert chip.peak("bfloat16") <= 1e15
        with pytest.raises(ValueError, match="multiplies no int3"):
            chip.peak("int3")


def test_large_products_reach_more_and_never_more_than_the_peak():
    """A power law that passes what the chip can do."""
    chip = CHIPS["h100"]
    some, more = (chip.reached("bfloat16", x) for x in (1e12, 4e12))
    assert some == chip.kernel_rate * chip.peak("bfloat16")
    assert more == pytest.approx(4**chip.kernel_slope * some)
    assert chip.reached("bfloat16", 1e30) == chip.peak("bfloat16")
    steady = CHIPS["a100"]
    assert steady.reached("bfloat16", 1e9) == steady.reached("bfloat16", 1e12)


def test_nodes_are_full_and_chips_are_known():
    """A hundred chips on twelve and a half nodes."""
    with pytest.raises(ValueError, match=r"100 chips do not fill.*take 96"):
        cluster("h100", 100)
    with pytest.raises(ValueError, match="chip is 'tpu'"):
        cluster("tpu", 8)
    with pytest.raises(ValueError, match="n_chips is 0"):
        Cluster(chip=CHIPS["a100"], n_chips=0)
    assert cluster("a100", 4).n_chips == 4
