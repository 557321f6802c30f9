"""A run before it begins."""

import json
from functools import partial

import pytest
import torch

from scratchlm.training.pretraining import described


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_steps", 0),
        ("n_micro", 0),
        ("seed", -1),
        ("save_every", 0),
        ("keep", 0),
        ("evaluate_every", -1),
        ("clip", 0.0),
        ("clip", float("nan")),
        ("dtype", "float8"),
    ],
)
def test_what_is_out_of_range_is_named(make_run, name, value):
    """A bad number shows up in the middle of a night, if at all."""
    with pytest.raises(ValueError, match=rf"{name} is .*give"):
        make_run(**{name: value})


def test_what_decides_a_run_is_told_as_json(make_run):
    """An address of memory in it would refuse each resumption."""
    about = make_run().about()
    assert json.loads(json.dumps(about)) == about
    assert about["model"]["feedforward"] == "SwiGLU"
    assert about["optimizer"] == {
        "part": "muon_and_adamw",
        "args": [],
        "lr": 0.02,
        "table_lr": 0.01,
    }
    assert "0x" not in json.dumps(about)


def test_what_only_decides_how_fast_is_not_told(make_run):
    """A run could not move to another device."""
    assert make_run(save_every=1, keep=9).about() == make_run().about()
    assert make_run(seed=1).about() != make_run().about()


def test_parts_are_told_with_their_settings():
    """Two partials of one class would be the same run."""
    told = described(partial(torch.optim.SGD, lr=0.1, betas=(1, 2)))
    assert told == {"part": "SGD", "args": [], "betas": [1, 2], "lr": 0.1}
    assert described({1: torch.float16}) == {"1": "torch.float16"}
    assert described(object()) == "object"
