"""Check every jaxtyping shape and type of the package while tests run."""

import sys

import hypothesis
import pytest
from jaxtyping import install_import_hook

install_import_hook(["scratchlm", "bookbuild"], "beartype.beartype")

# A time limit for one example tests the machine, not the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


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
