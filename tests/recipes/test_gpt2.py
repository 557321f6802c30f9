"""GPT-2's run: what is published about it, and what it must be told."""

import pytest

from scratchlm.model.published.presets import gpt2
from scratchlm.recipes.gpt2 import gpt2_124m
from scratchlm.text.corpora.public_data import FINEWEB_EDU
from scratchlm.training.pretraining.run import described


def test_batch_rate_and_schedule_are_the_published_ones():
    """A number that slipped between the paper and the code."""
    recipe = gpt2_124m()
    run = recipe.run
    assert described(run.model) == described(gpt2("124M"))
    assert recipe.tokens_per_step == 524_288
    assert abs(run.n_steps * recipe.tokens_per_step - 10**10) < 524_288
    assert run.optimizer.keywords == {"lr": 6e-4}
    assert run.schedule(714) == pytest.approx(715 / 716)
    assert run.schedule(715) == 1
    assert run.schedule(run.n_steps - 1) == pytest.approx(0.1)
    assert run.clip == 1


def test_the_text_is_the_pinned_sample():
    """Another sample of the web than the one that was named."""
    text = gpt2_124m().run.batches.func.__self__
    assert text.dataset is FINEWEB_EDU
    assert text.vocab_size == 50_257


def test_missing_text_is_said_with_the_folder(tmp_path):
    """A traceback of a file that nobody named."""
    recipe = gpt2_124m(folder=str(tmp_path / "none"))
    with pytest.raises(ValueError, match="corpus fineweb-edu --megabytes"):
        recipe.run.batches()


@pytest.mark.parametrize("lr", [0.0, -1.0])
def test_a_rate_that_trains_nothing_is_refused(lr):
    """A run of hours that stays where it began."""
    with pytest.raises(ValueError, match="give a finite number above 0"):
        gpt2_124m(lr=lr)
