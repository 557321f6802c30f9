"""A named run."""

from dataclasses import replace

import pytest

from scratchlm.recipes import make


@pytest.mark.slow  # the first in a process to train the world's tokenizer
def test_a_step_has_the_positions_of_all_rows():
    """Counted without the padding, a plan is too cheap."""
    recipe = make("tinyworld-tiny", {"batch_size": 4})
    assert recipe.tokens_per_step == 4 * recipe.n_tokens == 1024
    batch = next(recipe.run.batches())
    assert batch.tokens.shape == (4, 256)


def test_its_model_fits_its_tokenizer():
    """A token beyond the vocabulary ends the run at a random step."""
    recipe = make("tinyworld-tiny")
    tokenizer = recipe.tokenizer()
    assert tokenizer.vocab_size == recipe.run.model.vocab_size
    assert recipe.end_of_text in tokenizer.special_tokens


@pytest.mark.parametrize(("batch_size", "n_micro"), [(0, 1), (3, 4), (-1, 1)])
def test_a_step_without_rows_is_refused(batch_size, n_micro):
    """A run that begins, makes its data and then divides by nothing."""
    recipe = make("tinyworld-tiny")
    run = replace(recipe.run, n_micro=n_micro)
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}; give"):
        replace(recipe, run=run, batch_size=batch_size)
