import resource
import struct
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch


def _equal(one, two):
    if isinstance(one, dict) and type(one) is type(two):
        pairs = [[*each.items()] for each in (one, two)]
        return _equal(*pairs)
    if isinstance(one, list | tuple) and type(one) is type(two):
        return len(one) == len(two) and all(map(_equal, one, two))
    return type(one) is type(two) and _bits(one) == _bits(two)


def _bits(leaf):
    if isinstance(leaf, torch.Tensor):
        return (leaf.dtype, leaf.shape, leaf.device, _bytes(leaf))
    if isinstance(leaf, np.ndarray | np.generic):
        return (leaf.dtype, leaf.shape, leaf.tobytes())
    return struct.pack("d", leaf) if isinstance(leaf, float) else leaf


def _bytes(tensor):
    plain = tensor.resolve_conj().resolve_neg().contiguous()
    return plain.unsqueeze(-1).view(torch.uint8).numpy().tobytes()


@pytest.fixture(scope="session")
def equal():
    """Compare two trees: order, types and the bits of each number."""
    return _equal


@pytest.fixture
def files_at_most():
    """Let the system refuse what would make a file longer."""

    @contextmanager
    def limit(size):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


HOLD = """
import sys
from pathlib import Path
from scratchlm.foundation.durable import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held():
    """Let another process be the one that writes into a folder."""

    @contextmanager
    def hold(folder):
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout.readline() == b"held\n"
            yield
            other.kill()

    return hold
