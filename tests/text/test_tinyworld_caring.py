"""Plots: each sentence is told, and can be read."""

import random

import pytest

from scratchlm.text.tinyworld import TinyWorld, WorldConfig
from scratchlm.text.tinyworld_caring import CARING_LINES

PLOTS = ["hungry", "afraid", "borrow"]


@pytest.mark.parametrize("plot", PLOTS)
def test_every_way_through_a_plot_is_read_back(plot):
    """A turn of the story that is written one way and read another."""
    plots = (plot,) if plot != "journey" else ("afraid", plot)
    config = WorldConfig(plots=plots, facts=0, sum=0, sum_question=0)
    world, rng = TinyWorld(1, config), random.Random(0)
    told = set()
    kinds = ["story", "story_question"]
    for _ in range(60):
        document = world.sample(rng, kinds)
        found = world.log_prob(document.text)
        assert found == pytest.approx(document.log_prob, abs=1e-9)
        told.add(document.question)
    assert len(told) > 5


def test_each_line_belongs_to_a_plot():
    """A line that no plot tells."""
    names = [
        row.split()[0]
        for row in CARING_LINES.splitlines()
        if row and row[0] != " "
    ]
    heads = {name.split(".")[0] for name in names}
    assert heads - {"ask", "answer"} == set(PLOTS)
