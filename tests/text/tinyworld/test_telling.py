"""Every way to tell, and what it costs."""

import math

import pytest

from scratchlm.text.tinyworld.grammar import Entity, Options, read_script
from scratchlm.text.tinyworld.telling import Choices, Teller, Writer

LINES = read_script("go ^\n  {A} [ran|went].\nstop\n  {A} stopped.\n")
PEOPLE = Options([Entity("person", name=name) for name in ("Mia", "Omar")])


def write(dice):
    writer = Writer(LINES, dice)
    writer.tell("go", A=PEOPLE)
    if writer.weigh((3, 0, 1)):
        writer.tell_one([("stop", {}), ("stop", {"A": PEOPLE})])
    return writer


def test_a_path_takes_every_way_once():
    """A way that is left out, or taken twice."""
    path, made = Choices(), []
    while True:
        made.append(write(path))
        if not path.advance():
            break
    total = math.fsum(math.exp(writer.log_prob) for writer in made)
    assert len(made) == 2 * 2 * (1 + 1 + 2)
    assert total == pytest.approx(1)
    assert "".join(made[0].pieces) == "Mia ran."


def test_entropies_of_choices_add_up():
    """An entropy that depends on what was drawn, not on what could be."""
    path, mean, nats = Choices(), 0.0, 0.0
    while True:
        writer = write(path)
        mean += math.exp(writer.log_prob) * writer.entropy
        nats -= math.exp(writer.log_prob) * writer.log_prob
        if not path.advance():
            break
    assert mean == pytest.approx(nats)


def test_a_teller_alone_tells_nothing():
    """A document that is silently empty."""
    for call in (
        lambda teller: teller.tell("go"),
        lambda teller: teller.tell_one([]),
    ):
        with pytest.raises(NotImplementedError):
            call(Teller(LINES))
