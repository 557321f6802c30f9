"""All ways to read a line at one place."""

from scratchlm.text.tinyworld.grammar import Entity, Options, read_script
from scratchlm.text.tinyworld.matching import Matcher

LINES = read_script("go ^\n  {A} [ran|ran on] to {A.his} {T}.\n  Go, {A}!\n")
MIA = Entity("person", name="Mia", his="her")
MIAN = Entity("person", name="Mian", his="his")
BALL = Entity("thing", name="ball")
BALLOON = Entity("thing", name="balloon")
KINDS = {"person": Options([MIA, MIAN]), "thing": Options([BALL, BALLOON])}


def read(text, relaxed=False, **roles):
    matcher = Matcher(LINES, KINDS, text)
    case = ("go", {"A": KINDS["person"], **roles})
    return matcher, matcher.matches([case], {}, 0, relaxed=relaxed)


def test_a_name_that_begins_another_is_not_mistaken():
    """The first of two names that fit is taken, and the sentence fails."""
    _, found = read("Mian ran on to his balloon.", T=KINDS["thing"])
    (match,) = found
    assert match.filled == {"A": MIAN, "T": BALLOON}
    assert match.end == len("Mian ran on to his balloon.")
    assert match.where == {"A": 0, "T": 19}


def test_a_pronoun_follows_its_name():
    """Mia's his."""
    assert read("Mia ran to his ball.", T=BALL)[1] == []
    matcher, found = read("Mia ran to his ball.", relaxed=True, T=BALL)
    slips = {match.slip for match in found}
    assert {(s.offset, s.expected, s.found) for s in slips} == {
        (11, ("her",), "his")
    }
    assert not matcher.ran_out


def test_what_is_wanted_is_remembered():
    """A complaint about the first form where the second came further."""
    matcher, _ = read("Go, Mia?", T=BALL)
    assert (matcher.furthest, matcher.wanted) == (7, ["!"])
    matcher, _ = read("Mia ran to h", T=BALL)
    assert matcher.ran_out
    assert matcher.wanted == ["er"]
