"""Stories of presents, swaps and quarrels."""

from scratchlm.text.tinyworld.grammar import Linked
from scratchlm.text.tinyworld.stories.scenes import CLOSES, Story

GIVING_LINES = """
gift.open
  <day>, {A.he} [remembered|thought of it]: it was {B}'s birthday!
  {B}, {A.his} friend, [had a birthday|was to be seven years old|was coming
    home at last], and {A} wanted to bring a present.
  Now {B} was [ill|in bed with a cold|feeling lonely|in bed with a broken
    leg], and {A} wanted to bring {B.him} [a present|something nice|
    a surprise|something to play with].
gift.wish
  "[I would love|I have always wanted|I dream of] {T.a}," {B} had [once
    said|said last week|told {A.him}].
  What {B} wanted [most of all|more than anything|most] was {T.a}.
  {A} knew what to get: {T.a}.
gift.shop
  {T.Plural} were sold at {Z} in {G}, so {A} <went> there.
  So {A} <went> to {G}, for {Z} [there sold|had] {T.plural}.
  {A} <went> to {Z} in {G}, where {T.plural} are sold.
gift.shut
  But the door was [locked|shut], and {A.he} [waited|sat on the step]
    [until it opened|for an hour|until noon].
  But a note on the door said: "<wait>."
    {A.He} had to wait [an hour|until noon|all morning].
gift.poor
  But {A.he} had too few coins, so {A.he} had to <chore> [all day|until
    evening|for two days|for a week] to earn the rest.
  It cost more than {A.he} had. "You may <chore>, and it is yours," said the
    shopkeeper.
gift.ready
  There was just one left, <a_look> one.
  The shopkeeper [wrapped it in paper|tied a ribbon round it|put it in a bag]
    and wished {A.him} luck.
gift.give /
  "This is for you," {A.he} said <gladly>, and gave {B} the {T}.
  {A} <walked> back [with the {T}|at once] and [gave it to {B}|put it into
    {B}'s hands].
  When {B} opened the [parcel|bag|box], there was the {T}!
gift.joy
  {B} was <glad> and [hugged {A}|laughed out loud|could hardly speak|
    jumped up and down].
  "[Thank you|It is perfect|How did you know]!" cried {B}, who was <glad>.
gift.back
  {B} gave {A} {B.his} <look> <colour> {U} in return.
  "Then you must have my {U}," said {B}, and {A} took it <gladly>.
ask.gift-from
  Who gave {B} the {T}?
ask.gift-where
  Where did {A} get the {T}?
  In which shop did {A} find the {T}?
ask.gift-why
  Why was {B} [glad|happy]?
answer.shop /
  Answer: At {Z}.
answer.gift /
  Answer: Because {A} gave {B.him} the {T}.
swap.open
  {A.He} had <a_look> <colour> {U}, but what {A.he} wanted was {T.a}.
  <day>, {A.he} grew tired of {A.his} <look> <colour> {U} and wished for {T.a}.
swap.who
  {B} had [one|such a thing], so {A} <went> to {B.him}.
  {A} knew that {B} had one, and <went> to see {B.him}.
swap.ask /
  "Will you swap your {T} for my {U}?" asked {A}.
  "My {U} for your {T}," said {A}. "[What do you say|Is that fair|Shall
    we]?"
swap.want
  "No," said {B}, "but I would swap it for {V.a}."
  {B} <thought>. "Only for {V.a}," {B.he} said.
swap.third
  So {A} <went> to {C}, who had {V.a}, and gave {C.him} the {U} for
    it.
  Luckily {C} had {V.a} and [was happy|agreed|wanted nothing more than] to
    swap it for the {U}.
swap.done
  Then {A} gave {B} the {V} and got the {T} [at last|in return|for it].
  {B} took the {V} <gladly> and handed {A} the {T}.
swap.yes
  "[Gladly|With pleasure|Done|Why not]!" said {B}, and they swapped.
  {B} <thought>, then [agreed|held out {B.his} hand|said yes]. The {T} was
    {A}'s.
swap.end /
  {A} was <glad> with the {T}.
  How <glad_one> {A} was! The {T} was {A.his} own.
ask.swap-first
  What did {A} have at first?
answer.swap-first /
  Answer: {U.A}.
ask.swap-want
  What did {A} want?
answer.swap-want /
  Answer: {T.A}.
quarrel.open
  <day>, {A.he} and {B} found <a_look> <colour> {T} {P.at}.
  <day>, {A.he} was {P.at} with {B}, and there lay <a_look> <colour> {T}.
quarrel.mine /
  "It is mine!" [cried|shouted|said] {A}. "No, I saw it first!" [cried|
    shouted|said] {B}.
  Both wanted it. {A} pulled at one [end|side], and {B} at the other.
  "Give it to me!" said {A}. "Never!" said {B}, and [turned away|ran off|
    held it tight].
quarrel.angry
  They were so [angry|cross] that <angry>.
  {A} grew [red in the face|angry|cross], and {B} [began to cry|stuck out
    {B.his} tongue|would not let go].
quarrel.judge /
  Then {C} came by, who was <job>. "[Take turns|Share it|Draw straws],"
    said {C}.
  "Stop!" said {C}, who had heard them. "[Why not take turns?|Why not
    share?|Let a straw decide!]"
quarrel.hero
  So they did, and {A} was the first to have the {T}.
  That was fair, and it fell to {A} to keep the {T} [first|that day].
quarrel.friend
  So they did, and {B} was the first to have the {T}.
  "[You are right|Yes|Sorry]," said {A}, and let {B} keep the {T}.
quarrel.third
  But they could not agree, so {C} took the {T} [away|home].
  "Then nobody gets it," said {C} in the end, and [took|kept] the {T}.
quarrel.end /
  By evening {A} and {B} were friends again.
  {A} and {B} looked at each other and [laughed|had to laugh|shook hands].
ask.quarrel-judge
  Who told them [how to share|what to do]?
ask.quarrel-where
  Where did they find the {T}?
journey.open
  <day>, {A.he} packed {A.his} <look> <colour> {T} to visit {A.his} {B.sibling}
    {B}
    in {G}.
  {A.His} {B.sibling} {B} lived in {G}, and <day_low> {A} set off to
    bring {B.him} {T.a}.
journey.way
  The road was long, and {A.he} <journey> and <on_way>.
  First {A.he} <journey>, then {A.he} <journey_on>, and at last {A.he} saw
    the [roofs|towers|lights|smoke] of {G}.
journey.lost
  At a crossroads {A.he} did not know [the way|where to turn]. "[Left|
    Right|Straight on]," said {C}, who was <job>.
  {C}, who was <job>, showed {A.him} the way.
journey.arrive /
  "[Is it really you|You have come|What a surprise]!" cried {B} and [ran to
    the door|opened {B.his} arms|dropped {B.his} spoon].
  {B} was <job> when {A} arrived, and [ran to meet {A.him}|dropped
    everything|cried for joy].
journey.give
  {A} gave {B} the {T}, and {B} [loved it|hung it on the wall|would not let
    go of it|danced about].
  "I brought you this," said {A}, and {B} took the {T} <gladly>.
journey.eat
  Then they ate {F}, for {B} liked {F} best.
  For supper they had {F}, {B}'s favourite.
journey.home
  After [a week|three days|a month], {A} <walked> home [with a full bag|
    and wrote {B} a letter|happily|by the same road].
journey.stay
  {A} stayed [a week|for a month|until the snow came|all summer], and both
    were <glad>.
ask.journey-whom
  Whom did {A} visit?
ask.journey-town
  To which town did {A} go?
answer.town-to /
  Answer: To {G}.
ask.journey-eat
  What did they eat?
"""


def tell_gift(story: Story) -> None:
    """A present is bought where such things are sold."""
    story.tell("gift.wish", T=story.kinds["thing"])
    shop, town = Linked("T", "shop", "shop"), Linked("Z", "home", "town")
    story.tell("gift.shop", Z=shop, G=town)
    if story.one("gift.shut", "gift.poor", "gift.ready") != "gift.ready":
        story.tell("gift.ready")
    story.then("gift.give")
    story.tell("gift.joy")
    story.has("B", "T")
    story.ask("ask.gift-from", "answer.person", Y=story.who("A"))
    story.ask("ask.gift-where", "answer.shop")
    story.ask("ask.gift-why", "answer.gift")
    thing = Linked("T", "others", "thing")
    if story.one_of(("gift.back", {"U": thing}), *CLOSES) == "gift.back":
        story.has("A", "U")
        story.close("close.home", "close.friends", "close.lesson")


def tell_swap(story: Story) -> None:
    """One thing becomes another, by way of a third."""
    story.tell("swap.who", B=Linked("A", "friends", "person"))
    story.tell("swap.ask")
    third = Linked("U", "second half", "thing")
    if story.one_of(("swap.yes", {}), ("swap.want", {"V": third})) == (
        "swap.yes"
    ):
        story.has("B", "U")
    else:
        story.then("swap.third", C=Linked("A", "helpers", "person"))
        story.tell("swap.done")
        story.has("C", "U")
        story.has("B", "V")
    story.has("A", "T")
    story.ask("ask.swap-first", "answer.swap-first")
    story.ask("ask.swap-want", "answer.swap-want")
    story.tell("swap.end")
    story.close("close.home", "close.friends", "close.lesson")


def tell_quarrel(story: Story) -> None:
    """Two want one thing, and a third knows what to do."""
    story.tell("quarrel.mine")
    story.tell("quarrel.angry")
    story.tell("quarrel.judge", C=Linked("A", "helpers", "person"))
    holders = {
        "quarrel.hero": "A",
        "quarrel.friend": "B",
        "quarrel.third": "C",
    }
    story.has(holders[story.one(*holders)], "T")
    story.ask("ask.quarrel-judge", "answer.person", Y=story.who("C"))
    story.ask("ask.quarrel-where", "answer.place", R=story.who("P"))
    story.tell("quarrel.end")
    story.close(*CLOSES, "close.stay")


def tell_journey(story: Story) -> None:
    """A brother or a sister lives in another town."""
    story.tell("journey.way")
    guide = Linked("A", "helpers", "person")
    lost = story.one_of(("journey.lost", {"C": guide}), "journey.arrive")
    if lost == "journey.lost":
        story.ask("ask.helped", "answer.person", Y=story.who("C"))
        story.tell("journey.arrive")
    story.tell("journey.give")
    story.has("B", "T")
    story.tell("journey.eat", F=Linked("B", "food", "food"))
    story.ask("ask.journey-whom", "answer.person", Y=story.who("B"))
    story.ask("ask.journey-town", "answer.town-to")
    story.ask("ask.journey-eat", "answer.food")
    story.close("close.lesson", "journey.home", "journey.stay")
