"""Clusters of two clouds, as the files that their own tools read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# How ParallelCluster calls the ways to pay for a machine.
_PAID = {
    "ondemand": "ONDEMAND",
    "spot": "SPOT",
    "block": "CAPACITY_BLOCK",
}


@dataclass(frozen=True, kw_only=True)
class AwsCluster:
    """A cluster of AWS ParallelCluster, with Slurm.

    Args:
        nodes: machines with eight H100.
        region: such as ``"us-east-2"``.
        head_subnet: of the machine where jobs are submitted.
        subnet: of the others, private.
        key: name of an SSH key of EC2.
        paid: ``"ondemand"``; ``"spot"``, which AWS may take back; or
            ``"block"``, reserved for a time.
        reservation: of a capacity block, ``"cr-…"``.
        storage: gibibytes of FSx for Lustre: 1,200 or a multiple of 2,400.
        instance: type of machine.
        os: of all machines.

    Raises:
        ValueError: a number is out of range, or a part is missing.
    """

    nodes: int
    region: str
    head_subnet: str
    subnet: str
    key: str
    paid: str = "ondemand"
    reservation: str | None = None
    storage: int = 4800
    instance: str = "p5.48xlarge"
    os: str = "ubuntu2404"

    def __post_init__(self) -> None:
        _check_nodes(self.nodes)
        if self.paid not in _PAID:
            raise ValueError(
                f"paid is {self.paid!r}; give {' or '.join(_PAID)}"
            )
        if (self.paid == "block") != (self.reservation is not None):
            raise ValueError(
                f"paid is {self.paid!r} and reservation {self.reservation}; "
                "give a reservation with 'block', and with nothing else"
            )
        if self.storage != 1200 and (
            self.storage < 2400 or self.storage % 2400
        ):
            raise ValueError(
                f"storage is {self.storage} GiB; FSx gives 1200, or a "
                "multiple of 2400"
            )


def parallelcluster_config(cluster: AwsCluster) -> dict[str, Any]:
    """Return what ``pcluster create-cluster`` reads of a cluster, as YAML.

    The nodes stand close together and send by EFA, AWS's network adapters
    that pass the kernel by. They share a Lustre file system for checkpoints,
    and a GPU that fails its test takes no job.

    Args:
        cluster: its size, and where it is.

    Source: AWS ParallelCluster 3.16.1, pcluster/schemas/cluster_schema.py.
    """
    block = cluster.paid == "block"
    queue = {
        "Name": "gpu",
        "CapacityType": _PAID[cluster.paid],
        "JobExclusiveAllocation": True,
        "Networking": {
            "SubnetIds": [cluster.subnet],
            # A capacity block is one place already.
            **({} if block else {"PlacementGroup": {"Enabled": True}}),
        },
        "ComputeResources": [_compute_resource(cluster)],
    }
    return {
        "Region": cluster.region,
        "Image": {"Os": cluster.os},
        "HeadNode": {
            "InstanceType": "m6i.4xlarge",
            "Networking": {"SubnetId": cluster.head_subnet},
            "Ssh": {"KeyName": cluster.key},
        },
        "Scheduling": {
            "Scheduler": "slurm",
            "SlurmSettings": {"ScaledownIdletime": 30},
            "SlurmQueues": [queue],
        },
        "SharedStorage": [_storage(cluster)],
    }


def _storage(cluster: AwsCluster) -> dict[str, Any]:
    return {
        "Name": "checkpoints",
        "MountDir": "/fsx",
        "StorageType": "FsxLustre",
        "FsxLustreSettings": {
            "StorageCapacity": cluster.storage,
            "DeploymentType": "PERSISTENT_2",
            "PerUnitStorageThroughput": 500,
            # Else it is deleted with the cluster.
            "DeletionPolicy": "Retain",
        },
    }


def _compute_resource(cluster: AwsCluster) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Name": "h100",
        "InstanceType": cluster.instance,
        # Of a capacity block all are paid for, and stay.
        "MinCount": cluster.nodes if cluster.paid == "block" else 0,
        "MaxCount": cluster.nodes,
        "Efa": {"Enabled": True},
        "HealthChecks": {"Gpu": {"Enabled": True}},
    }
    if cluster.reservation is not None:
        target = {"CapacityReservationId": cluster.reservation}
        found["CapacityReservationTarget"] = target
    return found


@dataclass(frozen=True, kw_only=True)
class OciCluster:
    """A cluster of Oracle's HPC stack, with Slurm.

    Args:
        nodes: machines with eight H100.
        region: such as ``"us-ashburn-1"``.
        tenancy: OCID of the account.
        compartment: OCID of where the machines belong.
        domain: availability domain, such as ``"abCD:US-ASHBURN-AD-1"``.
        ssh_key: the public one.
        storage: gigabytes of Lustre: 31,200 or more, a multiple of 10,400.
        shape: of a machine.

    Raises:
        ValueError: a number is out of range.
    """

    nodes: int
    region: str
    tenancy: str
    compartment: str
    domain: str
    ssh_key: str
    storage: int = 31_200
    shape: str = "BM.GPU.H100.8"

    def __post_init__(self) -> None:
        _check_nodes(self.nodes)
        if self.storage < 31_200 or self.storage % 10_400:
            raise ValueError(
                f"storage is {self.storage} GB; give 31200 or more, a "
                "multiple of 10400"
            )


def oci_variables(cluster: OciCluster) -> dict[str, str | int | bool]:
    """Return the variables of the Terraform stack oracle-quickstart/oci-hpc.

    The nodes are bare metal in a *cluster network*, whose adapters write
    into each other's memory (RDMA).

    Args:
        cluster: its size, and where it is.

    Source: oracle-quickstart/oci-hpc 3.1.0, variables.tf.
    """
    return {
        "region": cluster.region,
        "tenancy_ocid": cluster.tenancy,
        "targetCompartment": cluster.compartment,
        "ad": cluster.domain,
        "ssh_key": cluster.ssh_key,
        "cluster_network_shape": cluster.shape,
        "node_count": cluster.nodes,
        "rdma_enabled": True,
        "stand_alone": False,
        "marketplace_listing": "GPU_OL8_NV570",
        "boot_volume_size": 512,
        "controller_ad": cluster.domain,
        "controller_boot_volume_size": 512,
        "controller_boot_volume_backup": True,
        "slurm": True,
        "healthchecks": True,
        "add_lfs": True,
        "create_lfs": "new",
        "lfs_compartment": cluster.compartment,
        "lfs_ad": cluster.domain,
        "lfs_capacity_in_gbs": cluster.storage,
        "lfs_perf_tier": "MBPS_PER_TB_500",
    }


def as_tfvars(variables: Mapping[str, str | int | bool]) -> str:
    """Return values of Terraform's variables as a ``.tfvars`` file.

    Args:
        variables: by name.
    """
    width = max(map(len, variables), default=0)
    return "".join(
        f"{name:{width}} = {_hcl(value)}\n"
        for name, value in variables.items()
    )


def _hcl(value: str | int | bool) -> str:
    """A literal; ``${`` and ``%{`` would begin an expression."""
    text = json.dumps(value)
    return text.replace("${", "$${").replace("%{", "%%{")


def _check_nodes(nodes: int) -> None:
    if nodes < 1:
        raise ValueError(f"nodes is {nodes}; give 1 or more")
