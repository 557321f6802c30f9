"""The small models of the part `model`, and the slow way to score."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

_SPEC = spec_from_file_location(
    "small_models", Path(__file__).parents[2] / "model" / "conftest.py"
)
_MODELS = module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODELS)
variant, variants = _MODELS.variant, _MODELS.variants
build, small, unchecked = _MODELS.build, _MODELS.small, _MODELS.unchecked


@pytest.fixture(scope="session")
def build_variant(variants, build):
    """Call it with the name of a variant: a small model of it."""
    return lambda name: build(variants[name])


@torch.no_grad()
def _alone(model, context, continuation):
    """The continuation of one text, with nothing shared or padded."""
    logits = model(torch.tensor([[*context, *continuation]]))[0].double()
    at = logits[len(context) - 1 : -1]
    each = at.log_softmax(-1)[range(len(at)), continuation]
    best = at.argmax(-1) == torch.tensor(continuation)
    return [*zip(each.tolist(), best.tolist(), strict=True)]


@pytest.fixture(scope="session")
def alone():
    """Call it with a model, a context and a continuation: log-probabilities
    of the continuation's tokens, and whether each is the likeliest."""
    return _alone


@pytest.fixture
def draw():
    """Call it with lengths: rows of random tokens of the small models."""
    generator = torch.Generator().manual_seed(3)

    def rows(*lengths):
        return [
            torch.randint(1, 61, (n,), generator=generator).tolist()
            for n in lengths
        ]

    return rows
