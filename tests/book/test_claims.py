"""Recorded grids are what the script of today finds."""

import importlib
from pathlib import Path

import pytest
import torch

from scratchlm.book.results import FOLDER, result

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
CLOSE = 0.05  # another processor sums in another order, hundreds of times


@pytest.fixture
def claims(monkeypatch):
    """The script as a module, on one thread."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield importlib.import_module("model_claims")
    torch.set_num_threads(threads)


def test_every_grid_is_recorded_by_the_script(claims):
    """A grid whose numbers a page reads and nothing measures again."""
    names = {path.stem for path in FOLDER.glob("claims-*.json")}
    assert names == {f"claims-{name}" for name in claims.CLAIMS}
    for name in claims.CLAIMS:
        command = result(f"claims-{name}").command
        assert "benchmarks/model_claims.py" in command
        assert "--record" in command


@pytest.mark.slow  # a hundred steps of training
def test_a_short_run_of_learned_positions_is_the_recorded_one(claims):
    """Numbers that outlive the code that they were measured with."""
    ids, _ = claims.corpus(claims.Size().n_bytes)
    torch.manual_seed(0)
    grids = importlib.import_module("_position_grids")
    model = claims.Transformer(grids.late_config(None, tied=True))
    batch = claims.draw(ids, 4, 64, 0)
    losses = claims.train(model, batch, iter([3e-3] * 100))
    found = result("claims-learned-positions").value
    expected = pytest.approx(found["RoPE, tied, seed 0"], abs=CLOSE)
    assert sum(losses[-20:]) / 20 == expected


@pytest.mark.slow  # a hundred steps and more of training
def test_a_shallow_run_of_the_block_is_the_recorded_one(claims):
    """A block, a start or a text that changed under a recorded grid."""
    n_bytes = claims.Size().n_bytes
    found = result("claims-block").value
    name = "post-norm, 2 blocks, large weights, warm-up 0, rate 0.001, seed 0"
    cell, steps = ("post-norm", 2, "large"), found["steps"]
    loss = claims.deep_run(cell, (steps, 0), n_bytes, 1e-3, 0)
    assert loss == pytest.approx(found[name], abs=CLOSE)


def test_another_start_is_told_from_the_recorded_one(claims):
    """A tolerance so wide that any run would pass for the recorded one."""
    found = result("claims-block").value
    start = "post-norm, 2 blocks, large weights, warm-up 0, "
    slow = found[start + "rate 0.003, seed 0"]
    assert abs(slow - found[start + "rate 0.001, seed 0"]) > CLOSE
