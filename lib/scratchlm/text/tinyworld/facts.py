"""What is told and asked of the world's facts.

A page of the world's encyclopedia tells all that is true of one person, town,
shop or animal: one fact first, which names it, the others in any order.
"""

from scratchlm.text.tinyworld.grammar import Linked
from scratchlm.text.tinyworld.setting import QUESTIONS, World
from scratchlm.text.tinyworld.telling import Case, Filler, Teller

FACT_LINES = """
page.person ^
  From the [Book|Big Book] of People.
  Who is who in the valley?
page.town ^
  From the [Book|Big Book] of Towns.
  The towns of the valley.
page.shop ^
  From the [Book|Big Book] of Shops.
  Where to buy what.
page.animal ^
  From the [Book|Big Book] of Animals.
  The animals of the valley.
person.home /
  {A} lives in {H}.
  {A} is a {A.child} from {H}.
  In {H} lives a {A.child} [called|named|by the name of] {A}.
person.sibling
  {A.His} {B.sibling} is [called|named] {B}.
  {B} is {A.his} {B.sibling}.
  {A.He} has a {B.sibling} whose name is {B}.
person.pet
  {A.He} [keeps|has|looks after] {X.a}.
  {A.His} pet is {X.a}.
  There is {X.a} in {A.his} house.
person.food
  {A.He} likes {F} [best|most|more than anything].
  {A.His} favourite food is {F}.
  What {A.he} likes to eat best is {F}.
person.work
  {A.He} wants to be {W} [one day|when {A.he} grows up].
  [One day|Later] {A.he} will be {W}.
  {A.His} dream is to become {W}.
town.sight /
  {H} is a [small|quiet|busy|pretty] town with {L}.
  The town of {H} [has|is known for|is proud of] {L}.
  In {H} stands {L}.
town.north
  [To the north|North of it] lies {G}.
  {G} is the next town to the north.
town.east
  [To the east|East of it] lies {G}.
  {G} is the next town to the east.
town.crop
  [The fields around it|Its farmers|Its people] grow {F}.
  It is a good place for {F}.
town.shop
  {Z.Name} is there.
  You will find {Z} there.
  One of its shops is {Z}.
shop.home /
  {Z.Name} is in {H}.
  {Z.Name} stands [in a street|near the gate|in the middle] of {H}.
  In {H} you will find {Z}.
shop.sells
  It sells {T.plural}.
  You can buy {T.a} there.
  {T.Plural} are sold there.
animal.food /
  {X.Plural} eat {F}.
  {X.Plural} [like|live on|are fond of] {F}.
  What {X.plural} like [best|most] is {F}.
animal.bed
  They sleep {D}.
  At night they [lie|rest|curl up] {D}.
  Their bed is {D}.
ask.home
  Where does {A} live?
  In which town does {A} live?
answer.home /
  Answer: In {H}.
ask.sibling
  Who is the {B.sibling} of {A}?
  Who is {A}'s {B.sibling}?
answer.sibling /
  Answer: {B}.
ask.pet
  What pet does {A} have?
  Which animal does {A} keep?
answer.pet /
  Answer: {X.A}.
ask.food
  What does {A} like to eat [best|most]?
  What is {A}'s favourite food?
answer.food /
  Answer: {F.Name}.
ask.work
  What does {A} want to be?
  What will {A} be one day?
answer.work /
  Answer: {W.Name}.
ask.north
  What lies north of {H}?
  Which town is north of {H}?
ask.east
  What lies east of {H}?
  Which town is east of {H}?
answer.town /
  Answer: {G}.
ask.sight
  What can you see in {H}?
  What is {H} known for?
answer.sight /
  Answer: {L.Name}.
ask.crop
  What do the farmers of {H} grow?
  What grows around {H}?
ask.shop
  Where is {Z}?
  In which town is {Z}?
ask.sells
  Where can you buy {T.a}?
  Which shop sells {T.plural}?
answer.sells /
  Answer: {Z.Name}.
ask.eats
  What do {X.plural} eat?
  What does a hungry {X} like?
ask.bed
  Where do {X.plural} sleep?
  Where does {X.a} sleep?
answer.bed /
  Answer: {D.Name}.
question ^
  Question:
"""

# The first fact of a page, its subject's role, and the role of what it says.
PAGES = {
    "person": ("person.home", "A", "H", "home", "town"),
    "town": ("town.sight", "H", "L", "sight", "landmark"),
    "shop": ("shop.home", "Z", "H", "home", "town"),
    "animal": ("animal.food", "X", "F", "food", "food"),
}

# By question: its subject's role, its answer's role and line.
ANSWERS = {
    "ask.home": ("A", "H", "answer.home"),
    "ask.sibling": ("A", "B", "answer.sibling"),
    "ask.pet": ("A", "X", "answer.pet"),
    "ask.food": ("A", "F", "answer.food"),
    "ask.work": ("A", "W", "answer.work"),
    "ask.north": ("H", "G", "answer.town"),
    "ask.east": ("H", "G", "answer.town"),
    "ask.sight": ("H", "L", "answer.sight"),
    "ask.crop": ("H", "F", "answer.food"),
    "ask.shop": ("Z", "H", "answer.home"),
    "ask.sells": ("T", "Z", "answer.sells"),
    "ask.eats": ("X", "F", "answer.food"),
    "ask.bed": ("X", "D", "answer.bed"),
}


def tell_facts(teller: Teller, world: World) -> None:
    """Tell all that is true of one person, town, shop or animal.

    Args:
        teller: writes or reads it.
        world: what is true.
    """
    teller.kind = "facts"
    pages = list(PAGES)
    cases: list[Case] = [(f"page.{kind}", {}) for kind in pages]
    kind = pages[teller.tell_one(cases)]
    line, subject, role, link, value = PAGES[kind]
    roles: dict[str, Filler] = {
        subject: world.kinds[kind],
        role: Linked(subject, link, value),
    }
    teller.tell(line, **roles)
    entity = teller.roles[subject]
    teller.note(link, entity, teller.roles[role])
    left = list(world.told[entity])
    while left:
        chosen = teller.tell_one([case for _, case in left])
        fact, _ = left.pop(chosen)
        teller.note(*fact)


def ask_fact(teller: Teller, world: World) -> None:
    """Ask for a fact, and answer. Args: as ``tell_facts``."""
    teller.kind = "facts_question"
    teller.tell("question")
    cases: list[Case] = []
    for line, subjects in world.asked.items():
        roles: dict[str, Filler] = {ANSWERS[line][0]: subjects}
        if line == "ask.sibling":  # it says whether a brother or a sister
            roles["B"] = Linked("A", "sibling", "person")
        cases.append((line, roles))
    line, _ = cases[teller.tell_one(cases)]
    subject, role, answer = ANSWERS[line]
    entity, link = teller.roles[subject], QUESTIONS[line][1]
    value = entity.links[link].values[0]
    teller.note(link, entity, value)
    teller.bind(**{role: value})
    teller.tell(answer)
