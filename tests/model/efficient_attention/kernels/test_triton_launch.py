import subprocess
import sys

import pytest

pytest.importorskip("triton")

from scratchlm.model.efficient_attention.kernels.triton_launch import padded


@pytest.mark.parametrize(
    ("width", "least", "result"),
    [(1, 1, 1), (1, 16, 16), (24, 16, 32), (64, 16, 64), (65, 16, 128)],
)
def test_padded_is_the_next_power_of_two(width, least, result):
    """A power of two that is doubled, or a width that is cut."""
    assert padded(width, least=least) == result


def test_without_triton_the_way_out_is_named():
    """A bare ModuleNotFoundError on a Mac, where nothing can be installed."""
    program = (
        "import sys; sys.modules['triton'] = None\n"
        "import scratchlm.model.efficient_attention.kernels.triton_rms_norm"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "exists for Linux" in run.stderr
    assert "scratchlm[triton]" in run.stderr


def test_the_other_parts_do_without_it():
    """A laptop that cannot have Triton, and cannot make a model either."""
    program = (
        "import sys\n"
        "import scratchlm.model.transformer.transformer\n"
        "import scratchlm.model.efficient_attention.tiled_attention\n"
        "import scratchlm.model.efficient_attention.latent_attention\n"
        "sys.exit('triton' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
