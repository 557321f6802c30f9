import re

import pytest

from scratchlm.interop.hf.families import FAMILIES
from scratchlm.interop.hf.names import GPT2


def test_each_family_has_one_row():
    """A second row that is never found."""
    names = [family.architecture for family in FAMILIES]
    kinds = [family.model_type for family in FAMILIES]
    assert len(set(names)) == len(names) == len(set(kinds)) == 9


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.model_type)
def test_the_end_of_a_name_tells_the_head(family):
    """A tied model that is refused because its head is not in the file."""
    theirs = {name for rule in family.rules for name in rule.theirs}
    assert family.head in theirs
    within = [n for n in theirs if n != family.head]
    assert all(name.startswith(family.prefix) for name in within)


def test_obsolete_names_are_no_weights():
    """GPT-2's mask is called attn.bias, and attn.c_attn.bias is a weight."""
    pattern = re.compile(FAMILIES[0].obsolete)
    assert pattern.fullmatch("transformer.h.11.attn.bias")
    named = [n.format(i=3) for rule in GPT2 for n in rule.theirs]
    assert not any(pattern.fullmatch(name) for name in named)
