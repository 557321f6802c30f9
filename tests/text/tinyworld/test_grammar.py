"""Forms, lines and the script that holds them."""

import math

import pytest

from scratchlm.text.tinyworld.grammar import (
    Entity,
    Linked,
    Options,
    Slot,
    read_script,
)

SCRIPT = """
greet ^
  [Hello|Good
    day], {A.his} friend.
  Hi!
leave //
  Bye, {A}. [So|Very|Too] [long|
    short].
"""


def texts(form):
    made = [""]
    for segment, n in form.segments:
        assert n == len(segment)
        made = [text + more for text in made for more in segment]
    return made


def test_a_script_becomes_lines():
    """A continued row that loses or doubles the space between its words."""
    lines = read_script(SCRIPT)
    greet, leave = lines["greet"], lines["leave"]
    assert texts(greet.forms[0]) == [
        "Hello, %(A.his)s friend.",
        "Good day, %(A.his)s friend.",
    ]
    assert greet.forms[0].parts[2] == ", "
    assert greet.forms[0].parts[3] == Slot("A", "his")
    assert texts(leave.forms[0])[1] == "\n\nBye, %(A)s. So short."
    assert leave.entropy == pytest.approx(math.log(6))
    assert greet.entropy == pytest.approx(math.log(2) + math.log(2) / 2)
    assert greet.forms[0].log_prob == pytest.approx(-math.log(4))


def test_a_script_can_be_cut_down():
    """A small world that cannot be listed."""
    lines = read_script(SCRIPT, max_forms=1, max_alternatives=2)
    assert len(lines["greet"].forms) == 1
    assert len(texts(lines["leave"].forms[0])) == 4


def test_many_alternatives_are_kept_apart():
    """A form whose combinations fill the memory."""
    source = " ".join(["[a|b|c|d|e|f|g|h]"] * 4)
    (form,) = read_script(f"x ^\n  {source}\n")["x"].forms
    assert [n for _, n in form.segments] == [64, 64]
    assert len(set(texts(form))) == 8**4
    assert form.log_prob == pytest.approx(-4 * math.log(8))


def test_options_can_follow_from_a_role():
    """A friend of someone else."""
    kite, ball = (Entity("thing", name=name) for name in ("kite", "ball"))
    mia = Entity("person", name="Mia", his="her")
    mia.links["wants"] = Options([kite])
    wanted = Linked("A", "wants", "thing").of({"A": mia})
    assert wanted.values == (kite,)
    assert ball not in wanted.allowed
    assert mia.in_role("A") == {"A": "Mia", "A.his": "her"}
    assert "Mia" in repr(mia)
    with pytest.raises(ValueError, match="nothing to choose"):
        Options([])


def test_alternatives_within_alternatives_are_refused():
    """A story with a bracket in it."""
    with pytest.raises(ValueError, match="two forms"):
        read_script("x ^\n  He [ran|was <glad>] home.\n")
