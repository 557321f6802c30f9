"""Starting ranks on machines, and what to do when one of them fails."""

from scratchlm.scaling.launching.clouds import (
    AwsCluster,
    OciCluster,
    as_tfvars,
    oci_variables,
    parallelcluster_config,
)
from scratchlm.scaling.launching.deepspeed import (
    deepspeed_config,
    job_of_deepspeed,
)
from scratchlm.scaling.launching.failures import (
    Failures,
    between_failures,
    daly_interval,
    failure_probability,
    goodput,
    simulate_goodput,
    young_interval,
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
from scratchlm.scaling.launching.worker import Lost, Work, work

__all__ = [
    "AwsCluster",
    "Failures",
    "Heartbeat",
    "Launch",
    "Lost",
    "OciCluster",
    "OwnTime",
    "Place",
    "Watchdog",
    "Work",
    "as_tfvars",
    "between_failures",
    "daly_interval",
    "deepspeed_config",
    "expand_hosts",
    "failure_probability",
    "find_place",
    "gather_laps",
    "goodput",
    "job_of_deepspeed",
    "job_of_megatron",
    "job_port",
    "joined",
    "megatron_arguments",
    "oci_variables",
    "parallelcluster_config",
    "pulses",
    "read_hang",
    "sbatch_script",
    "simulate_goodput",
    "slow_ranks",
    "torchrun",
    "work",
    "young_interval",
]
