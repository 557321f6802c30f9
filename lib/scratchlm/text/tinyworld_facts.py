"""What is true in a world, and how it is told. Chapter: book/text/corpora.md.

The world's seed decides who lives where, what is sold where and all else
that a model can only learn by heart.
"""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from scratchlm.text import tinyworld_words as words
from scratchlm.text.tinyworld_grammar import Entity, Options
from scratchlm.text.tinyworld_telling import Case, Teller

T = TypeVar("T")

FACT_LINES = """
facts.people ^
  From the book of people.
facts.towns ^
  From the book of towns.
facts.animals ^
  From the book of animals.
facts.shops ^
  From the book of shops.
person.lives /
  {A} is a {A.child} who lives in {H}.
  {A} lives in {H}.
person.sibling
  {A.His} {B.sibling} is called {B}.
  {B} is {A.his} {B.sibling}.
person.pet
  {A.He} keeps a {X}.
  {A.His} pet is a {X}.
person.food
  {A.He} likes {F} best.
  {A.His} favourite food is {F}.
town.north /
  {H} lies south of {G}.
  North of {H} lies {G}.
town.landmark
  The town has {L}.
  People come to see {L}.
town.shop
  {Z} is there.
  You will find {Z} there.
animal.eats /
  {X.plural} eat {F}.
  A {X} likes to eat {F}.
animal.sleeps
  They sleep {D}.
  At night they lie {D}.
shop.where /
  {Z} is in {H}.
shop.sells
  You can buy a {T} there.
  It sells {T.plural}.
"""
# What a book about each kind of entity tells first, and then in any order.
BOOKS = {
    "people": ("facts.people", "A", "person.lives"),
    "towns": ("facts.towns", "H", "town.north"),
    "animals": ("facts.animals", "X", "animal.eats"),
    "shops": ("facts.shops", "Z", "shop.where"),
}


class World:
    """Who and what there is, and what is true. Chapter: book/text/corpora.md.

    Args:
        seed: decides all of it.
        n_people: how many people; each second one is a sibling of the first.
        n_towns: how many towns; they lie on a circle, each south of the next.
        n_things: how many things can be owned.
        n_places: how many places a town has for stories.
        n_shops: how many shops.
        n_animals: how many kinds of animal.
    """

    def __init__(  # noqa: PLR0913
        self,
        seed: int,
        *,
        n_people: int,
        n_towns: int,
        n_things: int,
        n_places: int,
        n_shops: int,
        n_animals: int,
    ):
        rng = random.Random(seed)
        self.people = Options(_people(rng, n_people))
        self.towns = _named("town", shuffled(rng, words.TOWNS)[:n_towns])
        self.things = Options(_things(shuffled(rng, words.THINGS)[:n_things]))
        self.places = Options(_places(shuffled(rng, words.PLACES)[:n_places]))
        self.shops = Options(_shops(shuffled(rng, words.SHOPS)[:n_shops]))
        self.animals = Options(
            _animals(shuffled(rng, words.ANIMALS)[:n_animals])
        )
        self.foods = _named("food", words.FOODS)
        self.beds = _named("bed", words.BEDS)
        self.landmarks = _named(
            "landmark", shuffled(rng, words.LANDMARKS)[:n_towns]
        )
        self.first: dict[Entity, dict[str, Entity]] = {}
        self.rest: dict[Entity, list[Case]] = {}
        self._settle(rng)

    def _settle(self, rng: random.Random) -> None:
        """Draw what is true of each entity."""
        towns = self.towns.values
        for person in self.people.values:
            home = draw(rng, towns)
            self.first[person] = {"H": home}
            pet = draw(rng, self.animals.values)
            food = draw(rng, self.foods.values)
            self.rest[person] = [
                ("person.pet", {"X": pet}),
                ("person.food", {"F": food}),
            ]
            person.links["pet"] = Options([pet])
            person.links["home"] = Options([home])
            others = [p for p in self.people.values if p is not person]
            person.links["friends"] = Options(shuffled(rng, others)[:8])
        for one, other in _pairs(self.people.values):
            self.rest[one].append(("person.sibling", {"B": other}))
            self.rest[other].append(("person.sibling", {"B": one}))
        for i, town in enumerate(towns):
            self.first[town] = {"G": towns[(i + 1) % len(towns)]}
            landmark = self.landmarks.values[i]
            self.rest[town] = [("town.landmark", {"L": landmark})]
        for animal in self.animals.values:
            food, bed = (
                draw(rng, self.foods.values),
                draw(rng, self.beds.values),
            )
            self.first[animal] = {"F": food}
            self.rest[animal] = [("animal.sleeps", {"D": bed})]
            animal.links["food"] = Options([food])
        self._stock(rng)

    def _stock(self, rng: random.Random) -> None:
        """Open the shops, and spread the things over them."""
        shops = self.shops.values
        for shop in shops:
            town = draw(rng, self.towns.values)
            self.first[shop] = {"H": town}
            self.rest[shop] = []
            self.rest[town].append(("town.shop", {"Z": shop}))
        for i, thing in enumerate(shuffled(rng, self.things.values)):
            shop = shops[i % len(shops)]
            self.rest[shop].append(("shop.sells", {"T": thing}))
            thing.links["shop"] = Options([shop])


def tell_facts(teller: Teller, world: World) -> None:
    """Tell all that is true of one entity.

    Chapter: book/text/corpora.md.

    Args:
        teller: writes or reads it.
        world: what is true.
    """
    teller.kind = "facts"
    books = list(BOOKS.values())
    header = teller.tell_one([(name, {}) for name, _, _ in books])
    _, role, first = books[header]
    subjects = getattr(world, list(BOOKS)[header])
    # The subject must be known before what is true of it.
    cases: list[Case] = [
        (first, {role: subject, **world.first[subject]})
        for subject in subjects.values
    ]
    subject = subjects.values[teller.tell_one(cases)]
    rest = list(world.rest[subject])
    while rest:
        rest.pop(teller.tell_one(rest))


def shuffled(rng: random.Random, items: Sequence[T]) -> list[T]:
    """The items in a random order that no version of Python changes.

    Chapter: book/text/corpora.md.
    """
    left = list(items)
    return [left.pop(int(rng.random() * n)) for n in range(len(left), 0, -1)]


def draw(rng: random.Random, items: Sequence[T]) -> T:
    """One of the items. Chapter: book/text/corpora.md."""
    return items[int(rng.random() * len(items))]


def _pairs(items: Sequence[T]) -> Iterable[tuple[T, T]]:
    return zip(items[::2], items[1::2], strict=False)


def _named(kind: str, names: Sequence[str]) -> Options:
    return Options([Entity(kind, name=name) for name in names])


def _people(rng: random.Random, n: int) -> list[Entity]:
    everyone = [(name, words.SHE) for name in words.GIRLS]
    everyone += [(name, words.HE) for name in words.BOYS]
    return [
        Entity("person", name=name, **pronouns)
        for name, pronouns in shuffled(rng, everyone)[:n]
    ]


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _things(names: Sequence[str]) -> list[Entity]:
    return [
        Entity("thing", name=name, a=_a(name), plural=f"{name}s")
        for name in names
    ]


def _places(names: Sequence[tuple[str, str]]) -> list[Entity]:
    return [Entity("place", name=name, at=at) for name, at in names]


def _shops(names: Sequence[str]) -> list[Entity]:
    return [
        Entity("shop", name=name, The=name[0].upper() + name[1:])
        for name in names
    ]


def _animals(names: Sequence[str]) -> list[Entity]:
    return [
        Entity(
            "animal",
            name=name.split()[0],
            plural=name.split()[1],
            Plural=name.split()[1].capitalize(),
            a=_a(name.split()[0]),
        )
        for name in names
    ]
