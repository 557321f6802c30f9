"""Stories of help, fear and hunger."""

from scratchlm.text.tinyworld.grammar import Linked
from scratchlm.text.tinyworld.stories.scenes import CLOSES, Story

CARING_LINES = """
hungry.open
  <day>, {A.he} found <a_beast> {X} {P.at}.
  <day>, {A.he} was {P.at} and heard a small sound. It was <a_beast> {X}.
  "Who are you?" {A.he} asked <day_low>, for {P.at} sat <a_beast> {X}.
hungry.poor
  It was [thin|weak|cold|hungry] and <beast_sad>.
  The {X} was [hungry|starving], but what do {X.plural} eat? {A} did not
    know.
  "Are you hungry?" {A.he} asked, and the {X} <beast_sad>.
hungry.wrong
  {A} [offered it|gave it|brought] some {F}, but it <beast_no>.
  {A} put some {F} down, but the {X} <beast_no>.
hungry.ask /
  {A} asked {B}, who knew about animals. "{X.Plural} eat {F}," said {B}.
  "It wants {F}," said {B}, who was <job>. "{X.Plural} eat nothing else."
  {B} came by and <thought>. "Try {F}," {B.he} said. "That is what {X.plural}
    eat."
hungry.fetch
  So {A} <went> to {Q} and [came back with|brought back|picked] a
    [handful|hatful|bag] of {F}.
  {A} knew where to find {F}: {Q.at}. [Soon|In no time|At noon] {A.he} was
    back with a [handful|hatful|bag].
hungry.eat
  The {X} ate it all and <beast_yes>.
  How it ate! Then the {X} <beast_yes>.
hungry.bed
  At night it slept {D}, [as all {X.plural} do|safe and warm|full and
    happy].
  {A} knew where it would sleep: {D}.
hungry.end /
  {A} was <glad>, because the {X} was well.
  "[Good night|Sleep well|Farewell], little {X}," said {A}, who was <glad>.
ask.hungry-eat
  What did the {X} eat?
  What did the {X} like?
ask.hungry-where
  Where did {A} find the {X}?
ask.hungry-who
  Who knew what the {X} eats?
ask.hungry-why
  Why was {A} [glad|happy]?
answer.hungry /
  Answer: Because the {X} was well.
afraid.open
  <day>, {A.he} could not sleep, for <why_awake>.
  {A.He} was afraid of <fear>, and <day_low> it was worse than ever.
afraid.hide
  {A.He} <hid> and [waited|shook|counted to a
    hundred|did not dare to move].
  "[Who is there|What was that|Is anybody there]?" {A.he} whispered, but
    [nobody answered|there was no reply|all was still].
afraid.come /
  {B} heard {A} and <comfort>.
  Then {B} came in. "[What is wrong|Are you awake|Why are you shaking]?"
    {B.he} asked.
afraid.say
  "I am afraid," said {A} <sadly>.
  {A} [told {B}|said] that {A.he} was afraid.
afraid.thing /
  "Take my {T}," said {B}. "It [helps me too|is not afraid of anything|
    makes me brave|has always helped me]."
  {B} gave {A} {B.his} <look> <colour> {T}. "[Hold it tight|It will watch over
    you|
    Keep it by you]," {B.he} said.
afraid.look
  They looked together, and it was only <it_was>.
  Hand in hand they [went to look|opened the window|looked under the bed].
    There was nothing but <it_was>.
afraid.end /
  {A} was <brave> now and [slept until morning|laughed at the dark|
    fell asleep at once].
  Soon {A} felt <brave> and [went to sleep|began to hum|put out the candle].
ask.afraid-why
  Why could {A} not sleep?
  Why did {A} hide?
answer.afraid /
  Answer: Because {A.he} was afraid.
ask.comfort
  Who comforted {A}?
  Who came to {A}?
borrow.open
  <day>, {A.he} borrowed <a_look> <colour> {T} from {B}.
  "May I borrow your {T}?" {A.he} asked {B} <day_low>. "[Yes|Of course|
    Gladly], but [take care of it|be careful|bring it back]," said {B}.
borrow.go
  {A} took it to {P} and <play> <until>.
  {A} <went> to {P} with it, and there {A.he} <play>.
borrow.break
  Then <broke> [a piece came off|it cracked|it broke in two|it was ruined].
  But <broke> the {T} [broke|fell to pieces|was damaged|had a hole].
borrow.feel
  {A} was <sad>. What would {B} say?
  {A.He} felt <sad> and [thought of running away|hid it in a bag|looked at
    the pieces].
borrow.tell /
  But {A.he} <went> to {B} and told the truth. "I broke your {T}," {A.he}
    said <sadly>.
  "I am sorry, {B}," {A.he} said in the end. "The {T} is broken."
borrow.mend
  {B} <thought>. "We can mend it," {B.he} said, and they worked <until>.
  "[Never mind|Do not cry|It happens]," said {B}, and fetched <glue>.
borrow.give
  "Take my {U} instead," said {A}, and {B} [agreed|was content|nodded].
  To make up for it, {A} gave {B} {A.his} <look> <colour> {U}.
borrow.end /
  In the end the {T} looked [as good as new|better than before|almost new],
    and {B} was <glad> to have it back.
  Before long the {T} was whole again, and {B} took it home.
borrow.end-given /
  {B} forgave {A}, and the {T} stayed with {A}.
  {A} kept the broken {T} to [remember this|learn from it].
ask.broke
  Who broke the {T}?
ask.broke-why
  Why was {A} <sad_one>?
answer.broke /
  Answer: Because {A.he} had broken the {T}.
"""


def tell_hungry(story: Story) -> None:
    """A beast is hungry, and what it eats is a fact of the world."""
    story.tell("hungry.poor")
    wrong = Linked("X", "wrong", "food")
    ask = (
        "hungry.ask",
        {
            "B": Linked("A", "friends", "person"),
            "F": Linked("X", "food", "food"),
        },
    )
    if story.one_of(("hungry.wrong", {"F": wrong}), ask) == "hungry.wrong":
        story.one_of(ask)
    story.then("hungry.fetch", Q=Linked("P", "others", "place"))
    story.tell("hungry.eat")
    bed = Linked("X", "bed", "bed")
    if story.one_of(("hungry.bed", {"D": bed}), "hungry.end") == "hungry.bed":
        story.tell("hungry.end")
    story.ask("ask.hungry-eat", "answer.food")
    story.ask("ask.hungry-where", "answer.place", R=story.who("P"))
    story.ask("ask.hungry-who", "answer.person", Y=story.who("B"))
    story.ask("ask.hungry-why", "answer.hungry")
    story.close(*CLOSES)


def tell_afraid(story: Story) -> None:
    """Someone is afraid, and is not left alone."""
    story.tell("afraid.hide")
    story.tell("afraid.come", B=Linked("A", "friends", "person"))
    story.tell("afraid.say")
    thing = story.kinds["thing"]
    if story.one_of(("afraid.thing", {"T": thing}), "afraid.look") == (
        "afraid.thing"
    ):
        story.has("A", "T")
    story.tell("afraid.end")
    story.ask("ask.afraid-why", "answer.afraid")
    story.ask("ask.comfort", "answer.person", Y=story.who("B"))
    story.close("close.friends", "close.lesson")


def tell_borrowed(story: Story) -> None:
    """Something borrowed breaks, and the truth is told."""
    story.tell("borrow.go", P=story.kinds["place"])
    story.tell("borrow.break")
    story.tell("borrow.feel")
    story.tell("borrow.tell")
    thing = Linked("T", "others", "thing")
    if story.one_of("borrow.mend", ("borrow.give", {"U": thing})) == (
        "borrow.mend"
    ):
        story.tell("borrow.end")
        story.has("B", "T")
    else:
        story.tell("borrow.end-given")
        story.has("A", "T")
        story.has("B", "U")
    story.ask("ask.broke", "answer.person", Y=story.who("A"))
    story.ask("ask.broke-why", "answer.broke")
    story.close(*CLOSES)
