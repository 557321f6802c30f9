"""Check every jaxtyping shape and type of the package while tests run."""

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
