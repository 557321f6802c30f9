"""Stories: someone wants something. Chapter: book/text/corpora.md."""

from scratchlm.text.tinyworld_facts import World
from scratchlm.text.tinyworld_grammar import Linked
from scratchlm.text.tinyworld_telling import Teller

STORY_LINES = """
lost.open ^
  One [morning|afternoon], {A} <went> to {P} with {A.his} {T}.
  {A} had a [good|dear|fine] {T}. One [morning|afternoon], {A.he} took it
    to {P}.
lost.gone
  When {A.he} looked for the {T} at home, it was gone.
lost.found
  {B} found it {P.at} and gave it back.
lost.kept
  {B} found it {P.at} and kept it.
story.end /
  The end.
story.ask /
  Question:
ask.holds
  Who has the {T} now?
answer.person /
  Answer: {Y}.
"""


def tell_story(teller: Teller, world: World, weights: list[int]) -> None:
    """Tell a story."""
    teller.tell("lost.open", A=world.people, P=world.places, T=world.things)
    teller.tell("lost.gone")
    friends = Linked("A", "friends", "person")
    back = teller.tell_one(
        [("lost.found", {"B": friends}), ("lost.kept", {"B": friends})]
    )
    holder = teller.roles["B" if back else "A"]
    teller.note("has", teller.roles["T"], holder)
    teller.kind = "story"
    if teller.tell_one([("story.end", {}), ("story.ask", {})], weights):
        teller.kind = "story_question"
        teller.tell("ask.holds")
        teller.bind(Y=holder)
        teller.tell("answer.person")
