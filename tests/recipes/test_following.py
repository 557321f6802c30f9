"""What a model writes on the way."""

from dataclasses import replace

import pytest

from scratchlm.recipes import make
from scratchlm.recipes.following import follow, moments, samples


def recipe(n_steps=8):
    made = make("tinyworld-tiny", {"n_steps": n_steps, "batch_size": 1})
    run = replace(made.run, evaluate=None, save_every=2)

    def sample(model, tokenizer):
        assert not model.training
        return [tokenizer.decode([40]), str(model.norm.weight.sum().item())]

    return replace(made, run=run, sample=sample)


def test_moments_lie_closer_together_at_first():
    """Most changes early."""
    assert moments(640) == {10, 40, 160, 640}
    assert moments(1) == {1}


@pytest.mark.slow  # the first in a process to train the world's tokenizer
def test_each_moment_is_kept_once(tmp_path):
    """A run that was killed comes by a second time."""
    made = recipe()
    running = follow(made, tmp_path)
    for _ in range(3):  # one step more than is saved
        next(running)
    running.close()
    before = samples(tmp_path)
    assert [each["step"] for each in before] == [1, 2]
    steps = list(follow(made, tmp_path))
    assert [step.step for step in steps] == list(range(2, 8))
    found = samples(tmp_path)
    assert [each["step"] for each in found] == [1, 2, 8]
    assert found[:2] == before
    assert found[0]["texts"][1] != found[2]["texts"][1]
    assert found[2]["tokens"] == steps[-1].tokens


def test_a_run_that_keeps_none_has_none(tmp_path):
    """An empty file would be a fault of JSON."""
    assert samples(tmp_path) == []
