"""Ranks that many tests use, since each start takes a moment."""

import sys
from functools import partial

import cloudpickle
import pytest
from jaxtyping import install_import_hook

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
            ranks(check_types)
        try:
            return ranks(function, *args)
        finally:
            cloudpickle.unregister_pickle_by_value(module)

    def close(self):
        for ranks in self.running.values():
            ranks.close()


def check_types(group):
    """Check shapes and types in the ranks as the tests do here."""
    install_import_hook(["scratchlm"], "beartype.beartype")


cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="session")
def ranks():
    """Call it with a world size, then with ``(function, *args)``.

    ``ranks(2)(check, x)`` returns what ``check(group, x)`` returned on each
    rank. The ranks stay for the next test that wants as many.
    """
    kept = Kept()
    yield kept
    kept.close()
