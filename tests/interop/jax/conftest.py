"""The package's JAX, imported when the first test asks for it."""

import numpy as np
import pytest


@pytest.fixture
def load():
    """The loader of Llamas."""
    from scratchlm.interop.jax import load

    return load


@pytest.fixture
def logits_of(load):
    """A function from a folder and tokens to logits, as float32."""
    from scratchlm.interop.jax import logits

    def compute(folder, tokens, **options):
        weights, config = load(folder, **options)
        found = logits(weights, tokens.numpy(), config=config)
        return np.asarray(found).astype("float32")

    return compute
