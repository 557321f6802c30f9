"""Files for two clouds, held against the names that their tools know."""

import json
import re
from pathlib import Path

import pytest
import yaml

from scratchlm.scaling.launching.clouds import (
    AwsCluster,
    OciCluster,
    as_tfvars,
    oci_variables,
    parallelcluster_config,
)

KNOWN = json.loads(
    Path(__file__).with_name("library_names.json").read_text("utf8")
)


def aws(**changes):
    usual = {
        "nodes": 4,
        "region": "us-east-2",
        "head_subnet": "subnet-0123abcd",
        "subnet": "subnet-4567abcd",
        "key": "me",
    }
    return AwsCluster(**{**usual, **changes})


def oci(**changes):
    usual = {
        "nodes": 16,
        "region": "us-ashburn-1",
        "tenancy": "ocid1.tenancy.oc1..a",
        "compartment": "ocid1.compartment.oc1..b",
        "domain": "abCD:US-ASHBURN-AD-1",
        "ssh_key": "ssh-ed25519 AAAA me",
    }
    return OciCluster(**{**usual, **changes})


AWS = [
    aws(),
    aws(paid="spot", nodes=1),
    aws(paid="block", reservation="cr-0123abcd", storage=1200),
]


def names(value, before=""):
    """The path of each key, joined by dots."""
    if isinstance(value, list):
        return [path for each in value for path in names(each, before)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, each in value.items():
        found += [f"{before}{key}", *names(each, f"{before}{key}.")]
    return found


@pytest.mark.parametrize("cluster", AWS)
def test_parallelcluster_knows_every_name(cluster):
    """ScaledownIdleTime, which the tool spells ScaledownIdletime."""
    config = parallelcluster_config(cluster)
    known = set(KNOWN["parallelcluster"]["names"])
    assert set(names(config)) <= known


@pytest.mark.parametrize("cluster", AWS)
def test_parallelcluster_itself_reads_the_file(cluster, monkeypatch):
    """A value of another type than the tool's own schema has."""
    schema = pytest.importorskip("pcluster.schemas.cluster_schema")
    monkeypatch.setenv("AWS_DEFAULT_REGION", cluster.region)
    text = yaml.safe_dump(parallelcluster_config(cluster), sort_keys=False)
    read = schema.ClusterSchema(cluster_name="x").load(yaml.safe_load(text))
    (resource,) = read.scheduling.queues[0].compute_resources
    assert resource.max_count == cluster.nodes
    assert resource.efa.enabled


def test_nodes_stand_close_but_where_a_block_does_it():
    """EFA between nodes in different halls; or a placement group beside a
    capacity block, which AWS refuses."""
    for cluster in AWS:
        config = parallelcluster_config(cluster)
        (queue,) = config["Scheduling"]["SlurmQueues"]
        (resource,) = queue["ComputeResources"]
        block = cluster.paid == "block"
        assert ("PlacementGroup" in queue["Networking"]) != block
        assert ("CapacityReservationTarget" in resource) == block
        assert resource["MinCount"] == (cluster.nodes if block else 0)
        assert resource["MaxCount"] == cluster.nodes


def test_terraform_has_every_variable_and_misses_none():
    """A variable that is asked for in the middle of a deployment."""
    values = oci_variables(oci())
    known = KNOWN["oci"]
    assert values.keys() <= known["types"].keys()
    assert set(known["required"]) <= values.keys()
    kinds = {"string": str, "number": int, "bool": bool}
    for name, value in values.items():
        assert type(value) is kinds[known["types"][name]], name
    assert values["node_count"] == 16


def test_tfvars_hold_one_literal_a_line():
    """A key whose comment is an expression to Terraform."""
    text = as_tfvars({"a": 'x ${y} %{if} "z" \\', "long": True, "n": 3})
    assert text == (
        'a    = "x $${y} %%{if} \\"z\\" \\\\"\nlong = true\nn    = 3\n'
    )
    assert as_tfvars({}) == ""
    for line in as_tfvars(oci_variables(oci())).splitlines():
        assert re.fullmatch(r'\w+ += (".*"|true|false|\d+)', line)


def test_hcl_itself_reads_the_file():
    """A quote that ends a text early."""
    hcl2 = pytest.importorskip("hcl2")
    values = oci_variables(oci(ssh_key='ssh "me" ${x}'))
    read = hcl2.loads(as_tfvars(values))
    assert read["node_count"] == 16
    assert read.keys() >= values.keys()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: aws(nodes=0), "nodes is 0; give 1 or more"),
        (lambda: oci(nodes=0), "nodes is 0; give 1 or more"),
        (lambda: aws(paid="gift"), "paid is 'gift'; give ondemand or spot"),
        (lambda: aws(paid="block"), "paid is 'block' and reservation None"),
        (lambda: aws(reservation="cr-1"), "'ondemand' and reservation cr-1"),
        (lambda: aws(storage=3600), "storage is 3600 GiB; FSx gives 1200"),
        (lambda: aws(storage=0), "storage is 0 GiB"),
        (lambda: oci(storage=31_201), "storage is 31201 GB; give 31200"),
        (lambda: oci(storage=20_800), "storage is 20800 GB"),
    ],
)
def test_what_a_cloud_would_refuse_is_refused(call, message):
    """Twenty minutes of machines that start, and are taken down again."""
    with pytest.raises(ValueError, match=message):
        call()
