import pytest

from scratchlm.interop.hf import names
from scratchlm.interop.hf.weights import Rule

LISTS = ("GPT2", "LLAMA", "QWEN3", "OLMO2", "GEMMA2", "MIXTRAL", "QWEN3_MOE")


@pytest.mark.parametrize("name", LISTS)
def test_no_name_stands_twice(name):
    """Two rules for one tensor: the later wins, on one way only."""
    rules = getattr(names, name)
    assert all(isinstance(rule, Rule) for rule in rules)
    ours = [each for rule in rules for each in rule.ours]
    theirs = [each for rule in rules for each in rule.theirs]
    assert len(set(ours)) == len(ours)
    assert len(set(theirs)) == len(theirs)


@pytest.mark.parametrize("name", LISTS)
def test_layers_stay_in_their_layer(name):
    """A pattern that puts all layers' weights into one name."""
    for rule in getattr(names, name):
        numbered = ["{i}" in each for each in rule.ours + rule.theirs]
        assert all(numbered) or not any(numbered)
