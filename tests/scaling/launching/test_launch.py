"""What a launch refuses before a scheduler does, or a shell obeys."""

from pathlib import Path

import pytest

from scratchlm.scaling.launching.launch import Launch


def launch(**changes):
    usual = {
        "name": "run",
        "command": ("-m", "program"),
        "folder": Path("/scratch/run"),
    }
    return Launch(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": 0}, "nodes is 0; give 1 or more"),
        ({"ranks_per_node": 0}, "ranks_per_node is 0"),
        ({"cpus_per_rank": 0}, "cpus_per_rank is 0"),
        ({"gpus_per_rank": -1}, "gpus_per_rank is -1"),
        ({"gpus_per_rank": 2}, "computes on one GPU"),
        ({"minutes": 0}, "minutes is 0"),
        ({"warning": 5}, "warning is 5; give 30 or more"),
        ({"minutes": 2}, "warning is 120 seconds of a job of 2 minutes"),
        ({"max_restarts": -1}, "max_restarts is -1"),
        ({"nodes": 2, "least_nodes": 3}, "least_nodes is 3 of 2 nodes"),
        ({"nodes": 2, "least_nodes": 0}, "give 1 to 2"),
        (
            {"nodes": 2, "least_nodes": 1, "starter": "srun"},
            "srun cannot go on with fewer nodes",
        ),
        ({"starter": "mpirun"}, "starter is 'mpirun'; give 'torchrun' or"),
        ({"name": ""}, "name is ''"),
        ({"name": "a b"}, "name is 'a b'"),
        ({"name": "a\n#SBATCH --nodes=9"}, "give letters, digits"),
        ({"name": "--wrap=id"}, "name is '--wrap=id'"),
        ({"partition": "gpu;id"}, "partition is 'gpu;id'"),
        ({"account": "$(id)"}, "account is"),
        ({"environment": {"A B": "1"}}, "environment has 'A B'"),
        ({"environment": {"A": "1\nid"}}, "line breaks"),
        ({"command": ()}, "command is empty"),
        ({"command": ("a\x00b",)}, "control characters"),
        ({"python": "python\n"}, "line breaks"),
        ({"folder": Path("run")}, "give an absolute path"),
        ({"folder": Path('/run"')}, "without quotes"),
        ({"folder": Path("/run\\n")}, "backslashes"),
        ({"folder": Path("/a\n#SBATCH --nodes=9")}, "line breaks"),
    ],
)
def test_what_no_scheduler_could_take_is_refused(changes, message):
    """A job that waits in the queue for a night and then fails, or a name
    that is one more line of the script."""
    with pytest.raises(ValueError, match=r".+; give|leave out") as fault:
        launch(**changes)
    assert message in str(fault.value)


def test_the_world_is_all_ranks():
    """A world size of nodes, or of one node's ranks."""
    assert launch(nodes=3, ranks_per_node=8).world == 24


def test_a_launch_is_elastic_where_fewer_nodes_will_do():
    """least_nodes equal to nodes taken for elastic."""
    assert not launch(nodes=2).elastic
    assert not launch(nodes=2, least_nodes=2).elastic
    assert launch(nodes=2, least_nodes=1).elastic
