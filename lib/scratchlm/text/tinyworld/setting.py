"""Who and what there is in a world.

The world's seed decides who lives where, what is sold where and all else
that a model can only learn by heart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from scratchlm.foundation.dice import Dice
from scratchlm.text.tinyworld import words
from scratchlm.text.tinyworld.grammar import Entity, Options
from scratchlm.text.tinyworld.phrases import HIDDEN, capital, with_article
from scratchlm.text.tinyworld.telling import Case

NOOKS = tuple(HIDDEN.split("|"))
Fact = tuple[str, Entity, Entity]  # relation, subject, value

TOWNS_A_ROW = 3
FRIENDS = 10  # of each person, and as many helpers and neighbours


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is in a world.

    Args:
        n_people: people, at least six; one and the next are siblings.
        n_towns: towns, on a map with three in a row.
        n_things: things that a person can have, at least three.
        n_places: places that each town has, at least three.
        n_shops: shops, each in a town.
        n_animals: kinds of animal.
        n_foods: kinds of food, at least two.
        n_nooks: spots where something can be hidden.

    Raises:
        ValueError: for a number that is too small, or greater than there
            are words for.
    """

    n_people: int = 40
    n_towns: int = 12
    n_things: int = 32
    n_places: int = 20
    n_shops: int = 8
    n_animals: int = 12
    n_foods: int = 16
    n_nooks: int = 24

    def __post_init__(self) -> None:
        """Check the numbers."""
        ranges = {
            "n_people": (6, len(words.GIRLS) + len(words.BOYS)),
            "n_towns": (1, len(words.TOWNS)),
            "n_things": (3, len(words.THINGS)),
            "n_places": (3, len(words.PLACES)),
            "n_shops": (1, len(words.SHOPS)),
            "n_animals": (1, len(words.ANIMALS)),
            "n_foods": (2, len(words.FOODS)),
            "n_nooks": (1, len(NOOKS)),
        }
        for name, (least, most) in ranges.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; give a number from "
                    f"{least} to {most}"
                )


class World:
    """Entities, and what is true of them.

    A fact is a link of an entity: ``links["home"]`` holds one town. Links to
    several entities say who or what a story may choose.

    Args:
        seed: decides all of it.
        size: how much there is.
    """

    def __init__(self, seed: int, size: Size):
        dice = Dice(Random(seed))
        made = {
            "person": _people(dice, size.n_people),
            "town": _named("town", dice, words.TOWNS, size.n_towns),
            "thing": _things(dice, size.n_things),
            "place": _places(dice, size.n_places),
            "shop": _named("shop", dice, words.SHOPS, size.n_shops),
            "animal": _animals(dice, size.n_animals),
            "food": _named("food", dice, words.FOODS, size.n_foods),
            "bed": _named("bed", dice, words.BEDS, len(words.BEDS)),
            "work": _named("work", dice, words.WORK, len(words.WORK)),
            "nook": _named("nook", dice, NOOKS, size.n_nooks),
            "landmark": _named(
                "landmark", dice, words.LANDMARKS, len(words.LANDMARKS)
            ),
        }
        self.kinds = {kind: Options(values) for kind, values in made.items()}
        # What a page tells after its first fact.
        self.told: dict[Entity, list[tuple[Fact, Case]]] = {
            entity: [] for values in made.values() for entity in values
        }
        self._settle(dice, made)
        self._stock(dice, made)
        self.asked = self._askable()
        for values in made.values():
            _set_others(values)

    def _fact(
        self, subject: Entity, link: str, line: str, role: str, value: Entity
    ) -> None:
        subject.links[link] = Options([value])
        self.told[subject].append(
            ((link, subject, value), (line, {role: value}))
        )

    def _settle(self, dice: Dice, made: Mapping[str, list[Entity]]) -> None:
        """Draw what is true of people, towns and animals."""
        people, towns, foods = made["person"], made["town"], made["food"]
        for person in people:
            for link, kind, role in (
                ("pet", "animal", "X"),
                ("food", "food", "F"),
                ("work", "work", "W"),
            ):
                value = dice.pick(made[kind])
                self._fact(person, link, f"person.{link}", role, value)
        for i, person in enumerate(people):
            left = list(towns)
            if i % 2 and len(towns) > 1:  # siblings live in two towns
                left.remove(people[i - 1].links["home"].values[0])
            person.links["home"] = Options([dice.pick(left)])
        for one, other in zip(people[::2], people[1::2], strict=False):
            self._fact(one, "sibling", "person.sibling", "B", other)
            self._fact(other, "sibling", "person.sibling", "B", one)
        _befriend(dice, people)
        for i, town in enumerate(towns):
            town.links["sight"] = Options([made["landmark"][i]])
            if i >= TOWNS_A_ROW:
                north = towns[i - TOWNS_A_ROW]
                self._fact(town, "north", "town.north", "G", north)
            if (i + 1) % TOWNS_A_ROW and i + 1 < len(towns):
                self._fact(town, "east", "town.east", "G", towns[i + 1])
            self._fact(town, "crop", "town.crop", "F", dice.pick(foods))
        for animal in made["animal"]:
            food = dice.pick(foods)
            animal.links["food"] = Options([food])
            animal.links["wrong"] = Options(
                [other for other in foods if other is not food]
            )
            bed = dice.pick(made["bed"])
            self._fact(animal, "bed", "animal.bed", "D", bed)

    def _stock(self, dice: Dice, made: Mapping[str, list[Entity]]) -> None:
        """Open the shops, and spread the things over them."""
        shops = made["shop"]
        for shop in shops:
            town = dice.pick(made["town"])
            shop.links["home"] = Options([town])
            self.told[town].append(
                (("home", shop, town), ("town.shop", {"Z": shop}))
            )
        for i, thing in enumerate(dice.shuffled(made["thing"])):
            shop = shops[i % len(shops)]
            thing.links["shop"] = Options([shop])
            self.told[shop].append(
                (("shop", thing, shop), ("shop.sells", {"T": thing}))
            )

    def _askable(self) -> dict[str, Options]:
        """By question's name, the entities of which its answer is known."""
        found = {}
        for question, (kind, link) in QUESTIONS.items():
            known = [e for e in self.kinds[kind].values if link in e.links]
            if known:
                found[question] = Options(known)
        return found


# The kind that a question is about, and the link that answers it.
QUESTIONS = {
    "ask.home": ("person", "home"),
    "ask.sibling": ("person", "sibling"),
    "ask.pet": ("person", "pet"),
    "ask.food": ("person", "food"),
    "ask.work": ("person", "work"),
    "ask.north": ("town", "north"),
    "ask.east": ("town", "east"),
    "ask.sight": ("town", "sight"),
    "ask.crop": ("town", "crop"),
    "ask.shop": ("shop", "home"),
    "ask.sells": ("thing", "shop"),
    "ask.eats": ("animal", "food"),
    "ask.bed": ("animal", "bed"),
}


def _befriend(dice: Dice, people: Sequence[Entity]) -> None:
    """Choose whom a person's stories tell of.

    The three groups share nobody, so that friend, helper and neighbour of
    one story are three people. A sibling is in none: a story of siblings
    may need the others too.
    """
    for person in people:
        sibling = person.links.get("sibling")
        family = {person, *(sibling.values if sibling else ())}
        others = dice.shuffled([p for p in people if p not in family])
        n = min(FRIENDS, len(others) // 3)
        person.links["friends"] = Options(others[:n])
        person.links["helpers"] = Options(others[n : 2 * n])
        person.links["neighbours"] = Options(others[2 * n : 3 * n])


def _set_others(values: Sequence[Entity]) -> None:
    """Give each entity the others of its kind, for a story to choose."""
    for value in values:
        others = [other for other in values if other is not value]
        if len(others) > 1:
            half = len(others) // 2
            value.links["others"] = Options(others)
            value.links["first half"] = Options(others[:half])
            value.links["second half"] = Options(others[half:])


def _named(
    kind: str, dice: Dice, names: Sequence[str], n: int
) -> list[Entity]:
    chosen = dice.shuffled(names)[:n]
    return [Entity(kind, name=name, Name=capital(name)) for name in chosen]


def _people(dice: Dice, n: int) -> list[Entity]:
    everyone = [(name, words.SHE) for name in words.GIRLS]
    everyone += [(name, words.HE) for name in words.BOYS]
    return [
        Entity("person", name=name, **pronouns)
        for name, pronouns in dice.shuffled(everyone)[:n]
    ]


def _things(dice: Dice, n: int) -> list[Entity]:
    return [
        Entity("thing", **_noun(name, f"{name}s"))
        for name in dice.shuffled(words.THINGS)[:n]
    ]


def _animals(dice: Dice, n: int) -> list[Entity]:
    return [
        Entity("animal", **_noun(*pair.split()))
        for pair in dice.shuffled(words.ANIMALS)[:n]
    ]


def _noun(name: str, plural: str) -> dict[str, str]:
    return {
        "name": name,
        "a": with_article(name),
        "A": capital(with_article(name)),
        "plural": plural,
        "Plural": capital(plural),
    }


def _places(dice: Dice, n: int) -> list[Entity]:
    return [_place(*row) for row in dice.shuffled(words.PLACES)[:n]]


def _place(name: str, at: str) -> Entity:
    return Entity("place", name=name, at=at, At=capital(at))
