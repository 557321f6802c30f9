"""The small models of the part before, and whole texts to compare with."""

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


class Recorder:
    """Takes the likeliest token, and notes the logits of each row."""

    def __init__(self):
        self.logits = {}

    def __call__(self, logits, history):
        for row, each in zip(history.rows, logits, strict=True):
            self.logits.setdefault(row, []).append(each.clone())
        return logits.argmax(-1)


@pytest.fixture
def recorder():
    """A greedy sampler that remembers what it saw."""
    return Recorder()


@torch.no_grad()
def _compare(model, rows, written, recorder):
    """Each row's logits are those of its text alone, read at once."""
    for number, (row, new) in enumerate(zip(rows, written, strict=True)):
        whole = model(torch.tensor([row + new]))[0, len(row) - 1 : -1]
        given = torch.stack(recorder.logits[number])
        torch.testing.assert_close(given, whole, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="session")
def equal_to_whole_texts():
    """Call it with a model, prompts, what was written and a recorder."""
    return _compare


@pytest.fixture(scope="session")
def prompts():
    """Call it with a configuration and lengths: rows of random tokens."""

    def draw(config, *lengths):
        seed = torch.Generator().manual_seed(sum(lengths))
        sizes = ((n,) for n in lengths)
        return [
            torch.randint(config.vocab_size, size, generator=seed).tolist()
            for size in sizes
        ]

    return draw
