"""The base model of the book, and its small sibling."""

from dataclasses import replace
from math import ceil

import pytest
import torch

from scratchlm.model.published import count
from scratchlm.model.transformer import Transformer
from scratchlm.recipes import make
from scratchlm.recipes.world_text import DOCUMENTS_PER_ROW
from scratchlm.training.pretraining import Training, train

NAMES = ["tinyworld-base", "tinyworld-tiny"]


def test_the_base_model_has_about_four_million_parameters():
    """It is shipped, and all parts of the book build on it."""
    with torch.device("meta"):
        model = Transformer(make("tinyworld-base").run.model)
    assert 3.5e6 < count(model) < 4.5e6


def test_its_documents_are_whole(monkeypatch):
    """A document that is cut begins in a context that nobody knows, which
    keeps any model off the floor."""
    recipe = make("tinyworld-tiny", {"n_steps": 4, "batch_size": 2})
    rows = recipe.run.batches().corpora[0]
    end = recipe.tokenizer().special_tokens[recipe.end_of_text]
    batch = rows.gather(torch.arange(len(rows)).numpy())
    for documents, targets in zip(batch.documents, batch.targets, strict=True):
        for number in range(documents.max() + 1):
            assert targets[documents == number][-1] == end


def test_no_row_comes_twice():
    """Enough documents are drawn for all steps."""
    recipe = make("tinyworld-tiny", {"n_steps": 30, "batch_size": 4})
    assert len(recipe.run.batches().corpora[0]) >= 30 * 4


def test_the_small_recipe_learns():
    """What the page trains live must come off the plateau."""
    recipe = make("tinyworld-tiny", {"n_steps": 30, "batch_size": 2})
    run = replace(recipe.run, evaluate=None)
    steps = list(train(run, training=Training(run)))
    assert steps[-1].loss < steps[0].loss - 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_it_trains_in_sixteen_bits(dtype):
    """Muon's iteration leaves the range of float16."""
    given = {"n_steps": 12, "batch_size": 1, "dtype": dtype}
    run = replace(make("tinyworld-tiny", given).run, evaluate=None)
    steps = list(train(run))
    assert steps[-1].loss < steps[0].loss


def test_an_unknown_type_is_refused():
    """A KeyError names the type and nothing else."""
    with pytest.raises(ValueError, match="'half'; give one of float32"):
        make("tinyworld-tiny", {"dtype": "half"})


@pytest.mark.parametrize("name", NAMES)
def test_there_are_documents_for_all_steps(name):
    """A longer run that reads the documents of a shorter one twice."""
    recipe = make(name, {"n_steps": 50, "batch_size": 4})
    asked = recipe.run.batches.keywords["n_documents"]
    assert asked == ceil(DOCUMENTS_PER_ROW * 50 * 4)


@pytest.mark.parametrize("name", NAMES)
def test_text_and_model_have_one_vocabulary(name):
    """A table that is too short for the tokenizer."""
    recipe = make(name)
    size = recipe.run.model.vocab_size
    assert recipe.run.batches.keywords["vocab_size"] == size
    assert recipe.run.evaluate.keywords["vocab_size"] == size
    assert recipe.tokenizer.args == (size,)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_steps", [2, 3, 100])
def test_the_rate_ends_at_zero(name, n_steps):
    """A schedule of another length than the run."""
    schedule = make(name, {"n_steps": n_steps}).run.schedule
    assert schedule(n_steps - 1) == 0
    assert max(map(schedule, range(n_steps))) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_run_too_short_for_its_schedule_says_so(name):
    """A division by zero for one step."""
    with pytest.raises(ValueError, match="a run of 1 steps has no room"):
        make(name, {"n_steps": 1})
