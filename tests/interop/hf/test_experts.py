from dataclasses import replace

import pytest

from scratchlm.interop.files import Problems
from scratchlm.interop.hf.experts import experts
from scratchlm.interop.settings import Reader, settings_of


def read(aspect, settings):
    problems = Problems()
    parts = aspect.read(Reader(settings, problems))
    return settings_of(parts["feedforward"]), problems.found


@pytest.mark.parametrize("told", [True, False])
def test_experts_come_back(told, small):
    """Weights that sum to 1 in one family and not in the other."""
    given = {"num_experts": 4, "num_experts_per_tok": 2}
    aspect = experts("num_experts", "num_local_experts", normalize=None)
    parts = aspect.read(Reader(given | {"norm_topk_prob": told}, Problems()))
    made, _ = read(aspect, given | {"norm_topk_prob": told})
    assert (made["n_experts"], made["top_k"]) == (4, 2)
    assert settings_of(made["router"])["normalize"] == told
    config = replace(small.config, **parts)
    assert aspect.write(config) == given | {"norm_topk_prob": told}


def test_the_number_of_experts_goes_by_two_names():
    """transformers renamed a setting, and reads both."""
    aspect = experts("num_experts", "num_local_experts", normalize=True)
    given = {"num_local_experts": 4, "num_experts_per_tok": 2}
    assert read(aspect, given)[0]["n_experts"] == 4
    _, problems = read(aspect, {"num_experts_per_tok": 2})
    assert "num_experts is missing" in problems[0]


def test_a_dense_model_writes_nothing_that_reads_as_experts(small):
    """A Llama that is published as a mixture of one."""
    aspect = experts("num_experts", normalize=True)
    _, problems = read(aspect, dict(aspect.write(small.config)))
    assert problems
