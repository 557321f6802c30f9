"""Stories: someone wants something.

Each plot is a function over a story's scenes: a want, an obstacle, a way
out. What happens decides who has what and who is where, and that is what can
be asked.
"""

from collections.abc import Callable, Mapping, Sequence

from scratchlm.text.tinyworld.grammar import Linked, Options
from scratchlm.text.tinyworld.stories.caring import (
    CARING_LINES,
    tell_afraid,
    tell_borrowed,
    tell_hungry,
)
from scratchlm.text.tinyworld.stories.finding import (
    FINDING_LINES,
    tell_hidden,
    tell_lost,
    tell_stuck,
)
from scratchlm.text.tinyworld.stories.giving import (
    GIVING_LINES,
    tell_gift,
    tell_journey,
    tell_quarrel,
    tell_swap,
)
from scratchlm.text.tinyworld.stories.scenes import SCENE_LINES, Story
from scratchlm.text.tinyworld.telling import Case, Filler, Teller

STORY_LINES = SCENE_LINES + FINDING_LINES + GIVING_LINES + CARING_LINES

FRIEND = Linked("A", "friends", "person")
PLOTS: dict[str, tuple[Callable[[Story], None], str]] = {
    "lost": (tell_lost, "TP"),
    "hide": (tell_hidden, "BTP"),
    "stuck": (tell_stuck, "TP"),
    "gift": (tell_gift, "B"),
    "swap": (tell_swap, "UT"),
    "quarrel": (tell_quarrel, "BTP"),
    "journey": (tell_journey, "BGT"),
    "hungry": (tell_hungry, "XP"),
    "afraid": (tell_afraid, ""),
    "borrow": (tell_borrowed, "BT"),
}


def tell_story(
    teller: Teller,
    kinds: Mapping[str, Options],
    *,
    plots: Sequence[str],
    passing: int,
    weights: Sequence[int],
) -> None:
    """Tell a story, and end it or ask a question about it.

    Args:
        teller: writes or reads it.
        kinds: all entities by kind.
        plots: names of the plots that can happen.
        passing: at most so many things happen by the way, each time.
        weights: how likely it is to end, and to ask.
    """
    teller.kind = "story"
    home = Linked("A", "home", "town")
    teller.tell("intro", A=kinds["person"], H=home)
    story = Story(teller, kinds, passing)
    possible = [plot for plot in plots if _possible(plot, teller)]
    cases: list[Case] = [
        (f"{plot}.open", _openers(plot, kinds)) for plot in possible
    ]
    plot = possible[teller.tell_one(cases)]
    PLOTS[plot][0](story)
    story.finish(weights)


def _possible(plot: str, teller: Teller) -> bool:
    """A journey needs a brother or a sister in another town."""
    if plot != "journey":
        return True
    hero = teller.roles["A"]
    sibling = hero.links.get("sibling")
    if sibling is None:
        return False
    return sibling.values[0].links["home"].values != hero.links["home"].values


def _openers(plot: str, kinds: Mapping[str, Options]) -> dict[str, Filler]:
    """Who plays the roles of a plot's first line."""
    if plot == "journey":
        return {
            "B": Linked("A", "sibling", "person"),
            "G": Linked("B", "home", "town"),
            "T": kinds["thing"],
        }
    choices: dict[str, Filler] = {
        "B": FRIEND,
        "P": kinds["place"],
        "T": kinds["thing"],
        "U": kinds["thing"],
        "X": kinds["animal"],
    }
    if plot == "swap":
        choices["T"] = Linked("U", "first half", "thing")
    return {role: choices[role] for role in PLOTS[plot][1]}
