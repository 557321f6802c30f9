"""Scenes that every story may use.

A story's roles: A its hero, B a friend, C another; T and U things; P and Q
places; F food, X an animal, Z a shop, H and G towns; N someone and O an animal
that come by.
"""

from collections.abc import Mapping, Sequence

from scratchlm.text.tinyworld.grammar import Entity, Linked, Options
from scratchlm.text.tinyworld.telling import Case, Filler, Teller

SCENE_LINES = """
intro ^
  In {H} there lived <trait> {A.child} [called|named] {A}.
  {A} was <trait> {A.child} who lived in {H}.
  Once there was <trait> <and_trait> {A.child} [called|named] {A}, who lived in
    {H}.
  There was once a {A.child} in {H} who liked <hobby>, and {A.his} name was
    {A}.
  This is a story about {A}, <trait> {A.child} from {H} who was fond of
    <hobby>.
  {A} lived in {H} and [loved|liked|was good at] <hobby>.
  [Everyone|Everybody] in {H} knew {A}, <trait> {A.child}.
  Not long ago, <trait> {A.child} [called|named] {A} lived in {H}.
passing.beast
  On the way, {A} [passed|saw|met] <a_beast> {O} that <beast_did>.
  <a_beast_cap> {O} [watched {A} go|followed {A} for a while|hid when {A}
    came by|ran across {A}'s path|stared at {A}].
  By the road, <a_beast> {O} <beast_did>.
passing.sky
  <sky>, and <sign>.
  <sky> that day.
  It was so quiet that one could hear the [wind|leaves|clock on the tower|grass
    grow|bees].
passing.person
  {A} [waved to|nodded to|greeted] {N}, who was <job>.
  {N} was <job> and [called|shouted|said], "<remark>, {A}!"
  {A} passed {N}, who was [still|busy] <job>.
passing.bag
  {A} had <item>, <item> and <item> in a <colour> bag.
  In the pockets {A} [found|felt|had] <item> and <item>.
  {A} [lost|found|ate nothing but] <item> on the way.
passing.tune
  {A} [hummed|whistled|sang] <tune> [as {A.he} went|on the way|softly].
  To keep up {A.his} spirits, {A} [hummed|whistled|sang] <tune>.
close.home
  Then {A} <walked> home <night> and slept <slept>.
  When <when_night>, {A} went
    home [for supper|with a light heart|to bed|without hurrying].
close.stay
  {A} and {B} stayed {P.at} until <when_night>.
  They sat {P.at} together [until dark|for a long time|and told stories|
    and laughed|and watched the sun go down].
close.friends
  From that day on, {A} and {B} were <ever>.
  After that, {A} and {B} <together> <often>.
close.lesson
  "<lesson>," said {B}.
  "<lesson>," {A} [said|thought|told {B}|told everyone].
  And {A} never forgot it: <lesson_low>.
story.end /
  The end.
story.ask /
  Question:
ask.has
  Who has the {V} now?
  Who has the {V} [in the end|at the end]?
  In whose hands is the {V} [in the end|now]?
ask.where
  Where is {Y} now?
  Where is {Y} [in the end|at the end]?
answer.person /
  Answer: {Y}.
answer.place /
  Answer: {R.At}.
"""

CLOSES = ("close.home", "close.friends", "close.lesson")
ENDS: list[Case] = [("story.end", {}), ("story.ask", {})]
HOME = Entity("place", name="home", at="at home", At="At home")


class Story:
    """A story being told, and what may be asked of it.

    Args:
        teller: writes or reads it.
        kinds: all entities by kind.
        passing: at most so many things happen by the way, each time.
    """

    def __init__(
        self, teller: Teller, kinds: Mapping[str, Options], passing: int
    ):
        self.teller = teller
        self.kinds = kinds
        self.passing = passing
        self.tell = teller.tell
        self.asks: list[tuple[str, str, dict[str, Entity]]] = []

    def one(self, *names: str, **roles: Filler) -> str:
        """Tell one of several lines with the same roles; which one."""
        return names[self.teller.tell_one([(name, roles) for name in names])]

    def one_of(self, *cases: Case | str) -> str:
        """Tell one of several lines, each with its roles; which one."""
        full = [
            (case, {}) if isinstance(case, str) else case for case in cases
        ]
        name = full[self.teller.tell_one(full)][0]
        self._note_place(name)
        return name

    def then(self, name: str, **roles: Filler) -> None:
        """Tell a line, perhaps after something that happens by the way."""
        cases: list[Case] = [
            ("passing.beast", {"O": self.kinds["animal"]}),
            ("passing.sky", {}),
            ("passing.person", {"N": Linked("A", "neighbours", "person")}),
            ("passing.tune", {}),
            ("passing.bag", {}),
            (name, roles),
        ]
        for _ in range(self.passing):
            weights = [1] * (len(cases) - 1)
            chosen = self.teller.tell_one(cases, (*weights, len(weights)))
            if chosen == len(weights):
                return
            del cases[chosen]
        self.tell(name, **roles)

    def who(self, role: str) -> Entity:
        """Who plays a role."""
        return self.teller.roles[role]

    def has(self, person: str, thing: str) -> None:
        """Note that one role's person now has another role's thing."""
        self.teller.note("has", self.who(thing), self.who(person))

    def ask(self, question: str, answer: str, **roles: Entity) -> None:
        """Let a question be asked at the end.

        Args:
            question: the line that asks.
            answer: the line that answers.
            roles: who plays roles in them, beside those of the story.
        """
        self.asks.append((question, answer, roles))

    def close(self, *names: str) -> None:
        """Tell one of several lines that close the story."""
        self.one_of(*names)

    def _note_place(self, close: str) -> None:
        """Where a closing line leaves people."""
        if close == "close.home":
            self.teller.note("at", self.who("A"), HOME)
        if close == "close.stay":
            self.teller.note("at", self.who("A"), self.who("P"))
            self.teller.note("at", self.who("B"), self.who("P"))

    def finish(self, weights: Sequence[int]) -> None:
        """End the story, or ask a question about it.

        Args:
            weights: how likely is the one, and how likely the other.
        """
        teller = self.teller
        if not teller.tell_one(ENDS, weights):
            return
        teller.kind = "story_question"
        for thing, person in teller.state.get("has", {}).items():
            self.ask("ask.has", "answer.person", V=thing, Y=person)
        for person, place in teller.state.get("at", {}).items():
            self.ask("ask.where", "answer.place", Y=person, R=place)
        cases: list[Case] = [(line, roles) for line, _, roles in self.asks]
        teller.tell(self.asks[teller.tell_one(cases)][1])
