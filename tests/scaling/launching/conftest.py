"""A cluster of Slurm on this machine: two nodes that can be killed."""

import os
import re
import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from scratchlm.book.results import Result, record
from scratchlm.foundation.machine import commit, processor

BOOK = Path(__file__).parents[3] / "book"

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "unshare", "setpriv")
HOST = "127.0.0.1"
# Ports of their own, since another Slurm may run here. A node whose time
# would be out is set down by the test: it need not wait for the timeout.
SETTINGS = """\
ClusterName=laptop
SlurmctldHost={host}({address})
SlurmUser=root
SlurmctldPort={ports[0]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
KillWait=20
MailProg=/bin/true
NodeName=n[1-2] NodeHostname=localhost NodeAddr={address} \
Port=[{ports[1]}-{ports[2]}] CPUs=2
PartitionName=all Nodes=ALL Default=YES MaxTime=10 State=UP
"""


def pytest_addoption(parser):
    """Let ``pytest FILE --record`` keep what tests measure for the book."""
    parser.addoption("--record", action="store_true")


@pytest.fixture
def keep(request):
    """Call it with a name, numbers and their unit: where ``--record`` is
    given, the book shows them."""

    def kept(name, value, unit):
        if not kept.records:
            return
        test = Path(request.node.path).relative_to(BOOK.parent)
        measured = Result(
            value=value,
            unit=unit,
            device=f"two cores of {processor()}, torch {torch.__version__}",
            command=f"pytest {test} --record",
            commit=commit(BOOK),
            date=datetime.now(UTC).date().isoformat(),
        )
        record(name, measured)

    kept.records = request.config.getoption("--record", default=False)
    return kept


class Cluster:
    """Slurm's daemons, each of which ends with this process.

    A node is a slurmd in namespaces of its own: it is the first process of
    its own, so that the kernel kills all that it has started with it, as the
    loss of a machine would; and the names of both nodes are in its hosts.

    Args:
        folder: for keys, sockets, settings and logs.
    """

    def __init__(self, folder):
        self.folder = folder
        self.daemons = {}
        self.transcript = []
        self.environ = {
            **{k: v for k, v in os.environ.items() if "SLURM" not in k},
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        (folder / "hosts").write_text(
            f"{HOST} n1 n2 {socket.gethostname()}\n"
            + Path("/etc/hosts").read_text()
        )
        (folder / "slurm.conf").write_text(
            SETTINGS.format(
                host=socket.gethostname().partition(".")[0],
                address=HOST,
                folder=folder,
                ports=free_ports(3),
            )
        )

    def start(self):
        """Start them all, and wait until both nodes are idle."""
        self._start(
            "munged",
            *("munged", "--foreground", "--force"),
            *(
                f"--{name}={self.folder}/munge{suffix}"
                for name, suffix in (
                    ("key-file", ".key"),
                    ("socket", ".sock"),
                    ("pid-file", ".pid"),
                    ("log-file", ".log"),
                    ("seed-file", ".seed"),
                )
            ),
        )
        self.until((self.folder / "munge.sock").exists)
        self._start("slurmctld", "slurmctld", "-D", "-i")
        for node in ("n1", "n2"):
            self.start_node(node)
        self.until(lambda: self.states() == {"n1": "idle", "n2": "idle"})

    def start_node(self, node):
        """Start a node, as its machine would when it boots."""
        self._start(
            node,
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            "--mount-proc",
            *("sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"'),
            *(self.folder / "hosts", "slurmd", "-D", "-N", node),
        )

    def kill_node(self, node):
        """Kill -9 a node's first process, and with it all others."""
        daemon = self.daemons.pop(node)
        daemon.kill()
        daemon.wait()

    def _start(self, name, *command):
        with (self.folder / f"{name}.said").open("ab") as said:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, command)],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def run(self, *command, **options):
        """Return what a command of Slurm prints."""
        done = subprocess.run(
            [str(part) for part in command],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def show(self, line, folder=None):
        """Run a line of a shell, and keep it and what it printed."""
        printed = self.run("sh", "-c", line, cwd=folder)
        self.transcript.append(f"$ {line}\n{printed}")
        return printed

    def told(self):
        """Return all that was shown, with this machine's name left out."""
        name = rf"\b{re.escape(socket.gethostname())}\b"
        lines = re.sub(name, "host", "".join(self.transcript)).splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def states(self):
        """Return the state of each node."""
        told = self.run("sinfo", "--noheader", "--format=%N %T", "--Node")
        return dict(line.split() for line in told.splitlines())

    def job(self, number):
        """Return the fields of a job."""
        told = self.run("scontrol", "--oneliner", "show", "job", number)
        return dict(
            field.split("=", 1) for field in told.split() if "=" in field
        )

    def until(self, true, seconds=240):
        """Wait for something, and fail with the logs if it never is."""
        limit = time.monotonic() + seconds
        while not true():
            if time.monotonic() > limit:
                pytest.fail(self.logs())
            time.sleep(0.05)

    def logs(self):
        """Return the ends of what all daemons have said."""
        return "\n".join(
            f"{path.name}: {path.read_text()[-2000:]}"
            for path in sorted(self.folder.glob("*.said"))
        )

    def stop(self):
        """Kill them all: nodes with what runs on them, then the others."""
        for name in sorted(self.daemons):  # munged, n1, n2, slurmctld
            self.daemons[name].kill()
        for daemon in self.daemons.values():
            daemon.wait()


def free_ports(n):
    """Return n ports in a row that nobody has."""
    for first in range(23_000 + os.getpid() % 1000 * 4, 32_000, 4):
        held = [socket.socket() for _ in range(n)]
        try:
            for port, each in enumerate(held, first):
                each.bind((HOST, port))
            return [*range(first, first + n)]
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
    raise AssertionError("no ports are free")


def why_not():
    """Say why no cluster can be started here; nothing if it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed: apt install slurm-wlm"
    if os.geteuid() != 0:
        return "slurmd starts jobs as root, and we are not"
    names = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "true")
    if subprocess.run(names, capture_output=True, check=False).returncode:
        return "this container may not make namespaces"
    return ""


@pytest.fixture
def cluster(tmp_path_factory):
    """A cluster of two nodes, which nothing outlives."""
    if reason := why_not():
        pytest.skip(f"no Slurm here: {reason}")
    # A socket's name has at most 107 letters.
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.stop()
