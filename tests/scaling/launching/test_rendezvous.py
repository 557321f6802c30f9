"""What a launcher says of a process, and how processes meet."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed as dist

from scratchlm.scaling.launching import rendezvous
from scratchlm.scaling.launching.rendezvous import (
    Place,
    expand_counts,
    expand_hosts,
    find_place,
    job_port,
    joined,
    new_round,
)

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "n1",
    "MASTER_PORT": "29400",
    "TORCHELASTIC_RESTART_COUNT": "2",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
SRUN = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_JOB_NODELIST": "n[1-2]",
    "SLURM_TASKS_PER_NODE": "2(x2)",
}


def without(environ, *names):
    return {k: v for k, v in environ.items() if k not in names}


def test_torchrun_says_the_place():
    """Local rank and rank mixed up: on the second node all ranks take the
    GPUs of others, or none."""
    assert find_place(TORCHRUN) == Place(
        rank=5,
        world=8,
        local_rank=1,
        local_world=4,
        master=("n1", 29400),
        restarts=2,
        hosted=True,
    )


def test_srun_says_the_place():
    """Without a place from srun each task is rank 0 of one."""
    assert find_place(SRUN) == Place(
        rank=3,
        world=4,
        local_rank=1,
        local_world=2,
        master=("n1", 16711),
        job="4711",
    )


def test_a_requeued_job_knows_how_often():
    """A log that tells the first start from the second."""
    again = find_place({**SRUN, "SLURM_RESTART_COUNT": "1"})
    assert again.restarts == 1


def test_torchrun_below_srun_counts_first():
    """srun starts one torchrun on each node, and each of its four ranks would
    take itself for the same task."""
    place = find_place({**SRUN, **TORCHRUN})
    assert (place.rank, place.world, place.job) == (5, 8, "4711")


def test_the_first_node_of_a_step_is_the_step_s():
    """A step on some nodes of a job: rank 0 is not on the job's first."""
    place = find_place({**SRUN, "SLURM_STEP_NODELIST": "n[4-5]"})
    assert place.master[0] == "n4"


def test_a_script_may_say_where_ranks_meet():
    """Hosts whose names in Slurm are not those of the network."""
    place = find_place(
        {**SRUN, "MASTER_ADDR": "n1-ib0", "MASTER_PORT": "29500"}
    )
    assert place.master == ("n1-ib0", 29500)


def test_tasks_may_differ_from_node_to_node():
    """Shares taken for equal give a rank beyond its node's last GPU."""
    uneven = {**SRUN, "SLURM_TASKS_PER_NODE": "3,1", "SLURM_LOCALID": "0"}
    assert find_place(uneven).local_world == 1
    silent = without(SRUN, "SLURM_TASKS_PER_NODE")
    assert find_place(silent).local_world == 2


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "no launcher.*torchrun"),
        ({"RANK": "0"}, "WORLD_SIZE, LOCAL_RANK.*MASTER_ADDR.* missing"),
        (without(TORCHRUN, "MASTER_PORT"), "MASTER_PORT is missing"),
        ({**TORCHRUN, "RANK": "8"}, "rank is 8 of 8; it goes from 0 to 7"),
        ({**TORCHRUN, "RANK": "-1"}, "RANK is '-1', and must be a whole"),
        (without(SRUN, "SLURM_STEP_ID"), "script of job 4711.*put `srun`"),
        (without(SRUN, "SLURM_LOCALID"), "SLURM_LOCALID is missing.*srun"),
        (without(SRUN, "SLURM_JOB_NODELIST"), "SLURM_STEP_NODELIST is miss"),
        ({**SRUN, "SLURM_NODEID": "2"}, "tells of 2 nodes"),
        ({**SRUN, "SLURM_JOB_ID": "12_3"}, "give its number"),
    ],
)
def test_what_is_missing_is_named(environ, told):
    """A process that takes itself for rank 0 of one, or a KeyError."""
    with pytest.raises(ValueError, match=told):
        find_place(environ)


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ("n1", ["n1"]),
        ("n[1-3,7],m2", ["n1", "n2", "n3", "n7", "m2"]),
        ("gpu-a[08-11]", ["gpu-a08", "gpu-a09", "gpu-a10", "gpu-a11"]),
        ("r[1-2]n[01-02]", ["r1n01", "r1n02", "r2n01", "r2n02"]),
        ("a[1]-x,b", ["a1-x", "b"]),
    ],
)
def test_hosts_are_spelled_out(told, hosts):
    """A comma within brackets taken for one between hosts; a zero lost."""
    assert expand_hosts(told) == hosts


@pytest.mark.parametrize(
    "told", ["", ",", "n[", "n1,,n2", "n[1-", "n[3-1]", "n[a]", "n]1[", "n1,"]
)
def test_what_is_no_list_of_hosts_is_refused(told):
    """Half a list read as a whole one: a master that is no host."""
    with pytest.raises(ValueError, match="no list of hosts"):
        expand_hosts(told)


@given(st.lists(st.integers(0, 999), min_size=1, max_size=9, unique=True))
def test_any_numbers_come_back(numbers):
    """A range that is cut or doubled at its ends."""
    inside = ",".join(
        f"{n:03}-{n:03}" if n % 2 else f"{n:03}" for n in numbers
    )
    assert expand_hosts(f"n[{inside}]") == [f"n{n:03}" for n in numbers]


def test_counts_are_spelled_out():
    """Slurm writes 2(x3) for three nodes with two tasks each."""
    assert expand_counts("2(x3),1") == [2, 2, 2, 1]
    for odd in ("", "2(3)", "x", "2(x3)1"):
        with pytest.raises(ValueError, match="no list of tasks"):
            expand_counts(odd)


@given(st.integers(1, 10**9))
def test_a_port_is_between_services_and_outgoing_connections(job):
    """A port that Linux has lent to a connection is taken now and then."""
    assert 12_000 <= job_port(str(job)) < 32_000
    assert job_port(str(job)) == job_port(str(job + 20_000))


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def alone(**other):
    given = {
        "rank": 0,
        "world": 1,
        "local_rank": 0,
        "local_world": 1,
        "master": ("127.0.0.1", free_port()),
    }
    return Place(**{**given, **other})


def test_a_group_ends_with_its_block():
    """A second group in one process, which the first one forbids."""
    for _ in range(2):
        with joined(alone(), seconds=20.0) as group:
            x = torch.tensor(3)
            dist.all_reduce(x, group=group)
            assert (group.size(), int(x)) == (1, 3)
        assert not dist.is_initialized()
    with pytest.raises(KeyError), joined(alone(), seconds=20.0):
        raise KeyError
    assert not dist.is_initialized()


@pytest.mark.parametrize("rank", [0, 1])
def test_who_waits_in_vain_says_for_whom(rank):
    """A rank that was never started: the others wait half an hour, and say
    something about sockets."""
    place = alone(rank=rank, world=2, local_rank=rank, local_world=2)
    with (
        pytest.raises(
            ConnectionError, match=rf"rank {rank} of 2.*127\.0\.0\.1"
        ),
        joined(place, seconds=1.0),
    ):
        pass
    assert not dist.is_initialized()


def test_ranks_that_are_started_again_meet_each_other_alone():
    """torchrun 2.13 keeps its store from start to start: a rank reads the
    address of a dead one there, and the restart fails or hangs."""
    port = free_port()
    kept = dist.TCPStore("127.0.0.1", port, is_master=True)

    def enter(rank):
        store = dist.TCPStore("127.0.0.1", port, is_master=False)
        place = alone(rank=rank, world=3, local_rank=rank, local_world=3)
        part = new_round(store, place, 20.0)
        part.set(f"address {rank}", f"of start {start}")
        return [part.get(f"address {each}").decode() for each in range(3)]

    # Rank 0 comes last, so that the others find the round before theirs.
    for start in range(3):
        with ThreadPoolExecutor(3) as pool:
            late = [pool.submit(enter, rank) for rank in (1, 2)]
            time.sleep(0.3)
            assert not any(each.done() for each in late)
            found = [enter(0), *(each.result() for each in late)]
        assert found == [[f"of start {start}"] * 3] * 3
    assert kept.num_keys() > 3


def test_a_round_without_rank_0_ends():
    """Ranks that ask a store for ever."""
    store = dist.TCPStore("127.0.0.1", free_port(), is_master=True)
    store.set("round", "of the dead")
    place = alone(rank=1, world=2, local_rank=1, local_world=2)
    with pytest.raises(TimeoutError, match="rank 0 has not been heard of"):
        new_round(store, place, 0.5)


def test_a_node_with_fewer_gpus_than_ranks_is_refused(monkeypatch):
    """Two ranks on one GPU: nccl waits, and says nothing."""
    taken = []
    monkeypatch.setattr(rendezvous.torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(rendezvous.torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(ValueError, match="1 GPUs for 2 ranks; start 1"),
        joined(alone(world=2, local_world=2), device="cuda"),
    ):
        pass
    # nccl itself is not asked before the first tensor on a GPU.
    assert taken == []
