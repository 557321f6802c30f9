"""Check every jaxtyping shape and type of the package while tests run."""

import functools
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from filelock import FileLock
from jaxtyping import install_import_hook

install_import_hook(["scratchlm", "bookbuild"], "beartype.beartype")

# A time limit for one example tests the machine, not the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Call it with a name and a function that makes a folder at the path that
    it is given: the folder, made by the worker of xdist that asks first."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name, fill):
        folder = shared / name
        with FileLock(shared / f"{name}.lock"):
            if not folder.exists():
                with TemporaryDirectory(dir=shared) as aside:
                    fill(Path(aside) / name)
                    (Path(aside) / name).rename(folder)
        return folder

    return make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Run a test marked ``untraced`` at full speed.

    Coverage doubles the time of a long loop in Python whose lines other
    tests reach. The mark ``no_cover`` of pytest-cov is without effect in the
    workers of xdist, where a second measurement runs below the first.
    """
    tracer = sys.gettrace()
    if item.get_closest_marker("untraced"):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


TRACED_EXAMPLES = 15  # of a property; guessed: they reach all that 100 reach


def pytest_collection_modifyitems(items):
    """Measure the coverage of a property's first examples alone.

    The rest reach the same lines, at half the speed while coverage looks.
    """
    for test in {id(item.obj): item.obj for item in items}.values():
        function = getattr(test, "__func__", test)
        if hasattr(function, "hypothesis"):
            known = function.hypothesis
            known.inner_test = _traced_at_first(known.inner_test)


def _traced_at_first(inner):
    calls = 0

    @functools.wraps(inner)
    def run(*args, **kwargs):
        nonlocal calls
        calls += 1
        tracer = sys.gettrace()
        if calls > TRACED_EXAMPLES:
            sys.settrace(None)
        try:
            return inner(*args, **kwargs)
        finally:
            sys.settrace(tracer)

    return run
