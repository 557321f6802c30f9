"""Starting ranks on machines, and what to do when one of them fails."""

from scratchlm.scaling.launching.deepspeed import (
    deepspeed_config,
    job_of_deepspeed,
)
from scratchlm.scaling.launching.heartbeat import Heartbeat, pulses
from scratchlm.scaling.launching.job_script import sbatch_script, torchrun
from scratchlm.scaling.launching.launch import Launch
from scratchlm.scaling.launching.megatron import (
    job_of_megatron,
    megatron_arguments,
)
from scratchlm.scaling.launching.rendezvous import (
    Place,
    expand_hosts,
    find_place,
    job_port,
    joined,
)
from scratchlm.scaling.launching.stragglers import (
    OwnTime,
    gather_laps,
    slow_ranks,
)
from scratchlm.scaling.launching.watchdog import Watchdog, read_hang

__all__ = [
    "Heartbeat",
    "Launch",
    "OwnTime",
    "Place",
    "Watchdog",
    "deepspeed_config",
    "expand_hosts",
    "find_place",
    "gather_laps",
    "job_of_deepspeed",
    "job_of_megatron",
    "job_port",
    "joined",
    "megatron_arguments",
    "pulses",
    "read_hang",
    "sbatch_script",
    "slow_ranks",
    "torchrun",
]
