"""Small models, rows of unequal worth, and one process to compare with."""

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.transformer.transformer import Transformer
from scratchlm.training.objective.loss import Loss
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

_SPEC = spec_from_file_location(
    "small_models", Path(__file__).parents[2] / "model" / "conftest.py"
)
_MODELS = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODELS)

NAMES = (
    *("rope", "multi-query", "learned positions", "tied", "kernels"),
    *("MLP and SwiGLU in turn", "experts", "norm of all heads"),
)
VARIANTS = {name: _MODELS.VARIANTS[name] for name in NAMES}
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def build(config, seed=0):
    """A model whose every part matters, the same in every process."""
    torch.manual_seed(seed)
    return Transformer(replace(config, init=lambda model, n_layers: None))


def draw_rows(config, n_rows=6, n_tokens=12, seed=0, empty=2):
    """Rows of which each counts another number of tokens, the last none."""
    draws = torch.Generator().manual_seed(seed)
    shape = (n_rows, n_tokens)
    tokens = torch.randint(config.vocab_size, shape, generator=draws)
    targets = torch.randint(config.vocab_size, shape, generator=draws)
    counted = torch.rand(shape, generator=draws) < torch.linspace(
        1.0, 0.2, n_rows
    ).unsqueeze(1)
    counted[n_rows - empty :] = False
    return TokenBatch(tokens, targets.where(counted, -100))


def objective(model, batch):
    """A loss for heads of every kind."""
    logits, targets = model(batch.tokens), batch.targets
    nats = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="sum"
    )
    return Loss(nats, (targets != -100).sum())


def in_one_process(model, batch, n_micro=1):
    """Leave the gradient of the mean loss in the model; return the mean."""
    count = (batch.targets != -100).sum()
    nats = torch.zeros(())
    for part in micro_batches(batch, n_micro):
        loss = objective(model, part)
        loss.over(count).backward()
        nats += loss.total.detach()
    return float(nats / count)


def gradients(model):
    return {name: p.grad for name, p in model.named_parameters()}


def farthest(found, expected):
    """The largest distance of any tensor, over its length."""
    assert found.keys() == expected.keys()
    worst = 0.0
    for name, other in expected.items():
        one = found[name]
        assert (one is None) == (other is None), name
        if other is not None:
            assert one.shape == other.shape
            length = max(float(other.norm()), 1e-12)
            worst = max(worst, float((one - other).norm()) / length)
    return worst


TOOLS = SimpleNamespace(
    build=build,
    draw_rows=draw_rows,
    objective=objective,
    in_one_process=in_one_process,
    gradients=gradients,
    farthest=farthest,
)


@pytest.fixture(scope="session")
def tools():
    """Functions that a rank calls, too; give them to it as an argument."""
    return TOOLS


@pytest.fixture(scope="session")
def variants():
    return VARIANTS


@pytest.fixture(scope="session")
def small():
    return _MODELS.SMALL
