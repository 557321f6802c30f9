"""Ranks that many tests use, since each start takes a moment."""

import os
import sys
from functools import partial
from multiprocessing import forkserver, get_context
from pathlib import Path

import cloudpickle
import pytest

from scratchlm.scaling.collectives.local import Ranks


class Kept:
    """Ranks by their number, started when a test first asks for them."""

    def __init__(self):
        self.running = {}

    def __call__(self, world_size):
        """Call it with a number: ranks that run functions of test files."""
        return partial(self.call, world_size)

    def call(self, world_size, function, *args):
        # Test files are no modules that a rank could import.
        module = sys.modules[function.__module__]
        cloudpickle.register_pickle_by_value(module)
        ranks = self.running.get(world_size)
        if ranks is None or ranks.ended:
            ranks = Ranks(world_size, timeout=120.0)
            self.running[world_size] = ranks
        try:
            return ranks(function, *args)
        finally:
            cloudpickle.unregister_pickle_by_value(module)

    def close(self):
        for ranks in self.running.values():
            ranks.close()


@pytest.fixture(scope="session", autouse=True)
def server():
    """Start the server that all ranks are forked from, with what they need:
    shapes and types are checked in them as they are here."""
    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([here, *sys.path]))
        get_context("forkserver").set_forkserver_preload(["checked_ranks"])
        forkserver.ensure_running()


@pytest.fixture(scope="session")
def ranks(server):
    """Call it with a world size, then with ``(function, *args)``.

    ``ranks(2)(check, x)`` returns what ``check(group, x)`` returned on each
    rank. The ranks stay for the next test that wants as many.
    """
    kept = Kept()
    yield kept
    kept.close()
