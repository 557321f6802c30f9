"""Recipes by name."""

import inspect
from dataclasses import fields, replace

import pytest

from scratchlm.cli.train import Train, recipe_command
from scratchlm.recipes.plan import plan
from scratchlm.recipes.registry import RECIPES, find, make


def test_every_recipe_has_the_name_it_is_found_by():
    """A manifest that names a recipe that nobody can find."""
    for name in RECIPES:
        assert make(name).name == name


@pytest.mark.parametrize("name", RECIPES)
def test_a_plan_needs_no_data(name, tmp_path, monkeypatch):
    """A list of recipes that downloads gigabytes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def forbidden():
        raise AssertionError("data was asked for")

    recipe = make(name)
    recipe = replace(
        recipe,
        run=replace(recipe.run, batches=forbidden),
        tokenizer=forbidden,
    )
    found = plan(recipe)
    assert found.tokens == recipe.tokens_per_step * recipe.run.n_steps
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "parameters", "tokens"),
    [
        ("tinyworld-base", 3_738_368, 9_830_400),
        ("tinystories-30m", 30_747_264, 458_752_000),
        ("gpt2-124m", 124_439_808, 9_999_745_024),
    ],
)
def test_sizes_are_those_that_the_names_say(name, parameters, tokens):
    """GPT-2 with a padded vocabulary, or a run of another length."""
    found = plan(make(name))
    assert (found.parameters, found.tokens) == (parameters, tokens)


def test_settings_reach_the_run():
    """A setting that is accepted and ignored."""
    recipe = make("tinyworld-tiny", {"n_steps": 7, "seed": 3, "lr": 1})
    assert (recipe.run.n_steps, recipe.run.seed) == (7, 3)
    assert recipe.run.optimizer.keywords["lr"] == 1


def test_an_unknown_recipe_is_answered_by_the_known_ones():
    """A KeyError, and no list to choose from."""
    with pytest.raises(
        ValueError, match="'nothing'; there are tinyworld-base"
    ):
        find("nothing")


def test_an_unknown_setting_is_answered_by_the_known_ones():
    """A TypeError from the depth of a call."""
    with pytest.raises(ValueError, match=r"no setting steps; it has n_steps"):
        make("tinyworld-tiny", {"steps": 3})


@pytest.mark.parametrize(
    "settings",
    [{"n_steps": "7"}, {"n_steps": 7.5}, {"dtype": 32}, {"lr": None}],
)
def test_a_setting_of_another_type_is_refused(settings):
    """A file of a run that was altered by hand, and a traceback."""
    ((name, value),) = settings.items()
    message = f"{name} of tinyworld-tiny is {value!r}; give"
    with pytest.raises(ValueError, match=message):
        make("tinyworld-tiny", settings)


@pytest.mark.parametrize("name", RECIPES)
def test_each_argument_is_an_option_that_says_what_it_does(name):
    """An option without help, or one that hides one of the command."""
    arguments = inspect.signature(RECIPES[name]).parameters
    shared = {each.name for each in fields(Train)}
    assert not shared & arguments.keys()
    made = recipe_command(Train, name)
    assert {each.name for each in fields(made)} == shared | arguments.keys()
