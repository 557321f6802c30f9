"""Stories of things lost, hidden and stuck."""

from scratchlm.text.tinyworld.grammar import Linked
from scratchlm.text.tinyworld.stories.scenes import CLOSES, Story

FINDING_LINES = """
lost.open
  <day>, {A.he} took {A.his} <look> <colour> {T} to {P}.
  <day>, {A.he} <went> to {P} with {A.his} <look> <colour> {T}.
  {A} never went anywhere without {A.his} <look> <colour> {T}. <day>, the two
    of them
    were {P.at}.
  {A.He} had <a_look> <colour> {T}, and <day_low> {A.he} took it to {P}.
lost.play
  There {A.he} <play> <until>.
  {A.He} put the {T} down [for a moment|beside {A.him}|with care] and <play>
    <until>.
  {A.He} <play>, and then {A.he} <play_too>.
lost.gone
  But when {A.he} [turned round|looked again|reached for it|wanted to go
    home], the {T} was [gone|not there|nowhere to be seen|no longer there].
  Then {A.he} [noticed|saw|found] that the {T} [was gone|was missing|
    had disappeared].
  When {A.he} [looked up|came back|stood up], there was no {T} [to be seen|
    any more|anywhere].
lost.feel
  {A.He} was so <sad> that {A.he} [sat down on the ground|could not speak|
    forgot {A.his} lunch|nearly cried].
  {A.He} searched <high>, but [in vain|there was no sign of it|all {A.he}
    found was an old shoe|all {A.he} found was a button]. How <sad_one> {A.he}
    was!
  {A} felt <sad>. It was {A.his} [favourite|best|dearest] {T}.
lost.ask /
  "Have you seen my {T}?" {A.he} asked {B}, whom {A.he} met <spot>.
  {A.He} <met> {B} <spot>. "I have lost my {T}," {A.he} said <sadly>.
  <spot_cap>, {A.he} <met> {B}. "My {T} is gone!" {A.he} [said|cried|told
    {B.him}|called].
lost.has /
  "Do you mean this one?" [asked|said] {B}. "I found it <hidden>."
  "Look what I found <hidden>," said {B}, and [held up|pulled out|showed
    {A.him}] the {T}.
  {B} [laughed|smiled|grinned]. "Here it is. It was lying <hidden>."
lost.back
  And {B} [gave it back|handed it over|put it into {A.his} hands] <gladly>.
  {A} took the {T} and [hugged it|held it tight|shook {B}'s hand|danced
    with joy].
lost.try /
  "No," said {B}, "but let us look {Q.at}."
  {B} <thought>. "Did you look {Q.at}?" {B.he} asked.
  "Somebody may have left it {Q.at}," said {B}. "[Come on|Come with me|
    I will help you]."
lost.there
  They searched <high>, and {Q.at} they found the {T} <hidden>.
  And {Q.at}, <hidden>, lay the {T}.
  It took [an hour|a long time|only a moment], but {Q.at} {B} found the {T}
    <hidden>.
lost.not
  They searched <high>, but the {T} was not {Q.at}.
  But {Q.at} there was [nothing but an old boot|only a cat|nothing at all|
    only a broken cup].
lost.return
  So they went back to {P}, and there {A} saw it <hidden>.
  "Then back to {P}," said {B}. And there was the {T}, <hidden>!
lost.bargain /
  "I found it, so it is mine," said {B}. "But I would like [to have|
    very much to have] {U.a}."
  "I will give it back for {U.a}," said {B}.
  "Finders keepers," said {B}. "Or will you give me {U.a} for it?"
lost.swap
  {A} had {U.a} at home. {A.He} [fetched it|ran to get it|brought it], and
    they swapped.
  {A} thought of {A.his} <look> <colour> {U}, fetched it and gave it to {B},
    who
    handed over the {T}.
lost.keep
  But {A} had [no {U}|nothing of the kind], so {B} kept the {T}.
  {A} did not have one. {B} [went away with|walked off with|kept] the {T}.
lost.end /
  {A} was <glad> [again|at last] and [thanked {B}|thanked {B} twice|
    promised to take better care of the {T}|never let go of the {T} all day].
  "Thank you, {B}!" said {A}, who was <glad> [again|at last|now].
  How <glad_one> {A} was to have the {T} [back|again]!
lost.end-sad /
  {A} was <sad> [all day|for a week|until supper], but {A.he} had learned to
    look after {A.his} things.
  {A} went on alone, <sad> but [wiser|not angry|not beaten].
ask.lost-where
  Where did {A} lose the {T}?
  Where was {A} when the {T} was lost?
ask.lost-why
  Why was {A} <sad_one>?
answer.lost /
  Answer: Because {A.he} had lost the {T}.
ask.found-by
  Who had found the {T}?
hide.open
  <day>, {A.he} played a [game|trick] with {B}: {A.he} hid {B}'s <look>
    <colour> {T}
    {P.at}.
  "Shut your eyes, {B}," {A.he} said <day_low>, and hid {B}'s <look> <colour>
    {T}
    {P.at}.
hide.put
  {A.He} put it {K} and [grinned|kept very quiet|counted to ten|
    held {A.his} breath].
hide.seek /
  "Is it {Q.at}?" asked {B}. "[Cold|Wrong|No|Ice cold]!" said {A}.
  {B} [looked|searched|hunted] {Q.at}, but {A} shook {A.his} head.
hide.hint
  "[Think of|Remember|Try] {P}," said {A} [at last|with a grin|kindly|
    after a while].
  {A} [looked|pointed|glanced] [towards|in the direction of] {P}.
hide.find
  {B} [ran to|hurried to|turned to] {P} and found the {T} {K}.
  So {B} looked {P.at}, and there, {K}, was the {T}.
hide.end /
  {B} was <glad> and [wanted to play again|clapped {B.his} hands|
    laughed out loud|hugged {A}].
  "Found it!" [cried|called|shouted] {B}, <glad> and out of breath.
ask.hid
  Who hid the {T}?
ask.hid-where
  Where was the {T} hidden?
  Where did {A} hide the {T}?
stuck.open
  <day>, {A.he} was {P.at} and threw {A.his} <look> <colour> {T} [too high|
    into the air|as high as {A.he} could|up to catch it].
  <day>, {A.he} carried {A.his} <look> <colour> {T} to {P}, and a [gust of
    wind|
    cheeky crow|playful monkey|sudden storm] snatched it away.
stuck.where
  It [landed|came to rest|stayed] [on a roof|in the top of a tree|
    on a high branch|on a chimney|on a tall wall].
  Up it went, and there it hung, [high above {A.his} head|out of reach|
    far too high for {A.him}].
stuck.try
  {A.He} <reach>, but it did not [help|move|come down].
  First {A.he} <reach>, then {A.he} <reach_too>, but all in vain.
stuck.feel
  {A} was <sad>, because the {T} was stuck.
  "It is stuck!" {A.he} cried, and [nearly wept|kicked a stone|sat down].
stuck.help /
  {B} came by with a [ladder|long rope|tall brother|fishing rod].
    "[Wait|Stay there|Let me try]," said {B}.
  "What is the matter?" asked {B}, who was <job>. "The {T} is stuck,"
    said {A}.
stuck.plan
  "[Climb on|Stand on] my shoulders," said {B}. [Up went {A}|{A} climbed
    up], and [together|between them] they reached the {T}.
  {B} [climbed up|reached up|crept along the top] and pulled the {T} down.
  The two of them [pushed|pulled|shook] until the {T} fell at their feet.
stuck.lend /
  "You may [have|play with|keep] it until tomorrow," said {A}, and gave
    the {T} to {B}.
  To thank {B}, {A} lent {B.him} the {T} for [a day|a week|the evening].
stuck.hold /
  {A} was <glad> and held the {T} with both hands.
  "Thank you!" said {A}, <glad> again, and put the {T} [away|in a bag].
ask.stuck-why
  Why was {A} <sad_one>?
answer.stuck /
  Answer: Because the {T} was stuck.
ask.helped
  Who helped {A}?
"""


def tell_lost(story: Story) -> None:
    """Something is lost, and a friend knows more."""
    story.then("lost.play")
    story.tell("lost.gone")
    story.tell("lost.feel")
    story.ask("ask.lost-where", "answer.place", R=story.who("P"))
    story.ask("ask.lost-why", "answer.lost")
    story.tell("lost.ask", B=Linked("A", "friends", "person"))
    place, thing = (
        Linked("P", "others", "place"),
        Linked("T", "others", "thing"),
    )
    reply = story.one_of(
        "lost.has", ("lost.try", {"Q": place}), ("lost.bargain", {"U": thing})
    )
    story.has("A", "T")
    if reply == "lost.has":
        story.tell("lost.back")
        story.ask("ask.found-by", "answer.person", Y=story.who("B"))
    elif reply == "lost.try":
        if story.one("lost.there", "lost.not") == "lost.not":
            story.tell("lost.return")
    elif story.one("lost.swap", "lost.keep") == "lost.swap":
        story.has("B", "U")
    else:
        story.has("B", "T")
        story.tell("lost.end-sad")
        story.close("close.home")
        return
    story.tell("lost.end")
    story.close(*CLOSES)


def tell_hidden(story: Story) -> None:
    """One hides what the other seeks."""
    story.tell("hide.put", K=story.kinds["nook"])
    place = Linked("P", "others", "place")
    story.tell("hide.seek", Q=place)
    if story.one_of(("hide.seek", {"Q": place}), "hide.hint") == "hide.seek":
        story.tell("hide.hint")
    story.tell("hide.find")
    story.has("B", "T")
    story.ask("ask.hid", "answer.person", Y=story.who("A"))
    story.ask("ask.hid-where", "answer.place", R=story.who("P"))
    story.tell("hide.end")
    story.close(*CLOSES, "close.stay")


def tell_stuck(story: Story) -> None:
    """Something hangs too high for one alone."""
    story.tell("stuck.where")
    story.tell("stuck.try")
    story.tell("stuck.feel")
    story.tell("stuck.help", B=Linked("A", "friends", "person"))
    story.tell("stuck.plan")
    story.ask("ask.stuck-why", "answer.stuck")
    story.ask("ask.helped", "answer.person", Y=story.who("B"))
    lent = story.one("stuck.lend", "stuck.hold") == "stuck.lend"
    story.has("B" if lent else "A", "T")
    story.close(*CLOSES, "close.stay")
