"""The words of the world.

Every list is longer than a world needs: its seed chooses among them. No word
is in two lists of one kind, or two documents could read alike.
"""


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


GIRLS = _listed(
    "Mia Amina Priya Ines Yuki Zofia Leila Nia Freya Carmen Mei Olga Sana "
    "Thandi Lucia Hana Aroha Noor Greta Ruth Esra Paloma Kalinda Signe"
)
BOYS = _listed(
    "Omar Tomas Kofi Arjun Ravi Liam Chen Mateo Pavel Samir Jonas Hiro "
    "Tariq Diego Emeka Luca Anders Bashir Minh Tane Ezra Hugo Idris Nils"
)

HE = {
    "he": "he", "He": "He", "him": "him", "his": "his", "His": "His",
    "oneself": "himself", "child": "boy", "sibling": "brother",
}  # fmt: skip
SHE = {
    "he": "she", "He": "She", "him": "her", "his": "her", "His": "Her",
    "oneself": "herself", "child": "girl", "sibling": "sister",
}  # fmt: skip

TOWNS = _listed(
    "Oakford Fernhill Marwick Lowbridge Stonemere Haverby Pinecross Saltwick "
    "Thornby Elmsea Brackwater Highmoor Redbank Cloverley Ashcombe Widdle"
)

THINGS = (
    "kite", "ball", "drum", "lantern", "whistle", "map", "spade", "basket",
    "blanket", "umbrella", "flute", "puppet", "compass", "mirror", "bell",
    "bucket", "scarf", "hat", "marble", "magnet", "paintbrush", "toy boat",
    "music box", "teddy bear", "jigsaw", "notebook", "telescope",
    "skipping rope", "fishing net", "storybook", "clay bird",
    "wooden horse", "tin soldier", "feather", "apron", "wooden spoon",
)  # fmt: skip

# Name, where one is when there, where one goes.
PLACES = tuple(
    (row.split(" ", 1)[1], row)
    for row in (
        "in the park", "at the market", "by the river", "in the library",
        "on the hill", "at the old mill", "in the orchard", "by the pond",
        "at the school", "in the barn", "by the harbour", "in the garden",
        "on the beach", "in the forest", "at the station", "on the bridge",
        "in the square", "by the well", "in the meadow", "at the windmill",
    )
)  # fmt: skip

SHOPS = (
    "the corner shop", "the blue shop", "the toy shop", "the mill shop",
    "the castle shop", "the corn hall", "the harbour stall",
    "the station kiosk", "the junk shop", "the green cart",
)  # fmt: skip

ANIMALS = (
    "rabbit rabbits", "goat goats", "squirrel squirrels", "mouse mice",
    "hedgehog hedgehogs", "tortoise tortoises", "donkey donkeys",
    "duck ducks", "robin robins", "crow crows", "pony ponies",
    "badger badgers", "goose geese", "lamb lambs", "hen hens",
    "piglet piglets",
)  # fmt: skip

FOODS = _listed(
    "berries nuts seeds apples carrots clover mushrooms corn pears plums "
    "oats turnips peas cherries grapes beans"
)

BEDS = (
    "in the hay", "under the hedge", "in a hollow log", "under the porch",
    "in the reeds", "beside the stove", "in an old boot", "among the roots",
    "under a cart", "in a basket", "behind the shed", "in the long grass",
)  # fmt: skip

LANDMARKS = (
    "a lighthouse", "a stone tower", "a golden clock", "a round tower",
    "a red gate", "a white chapel", "a glass house", "an old castle",
    "a tall oak", "a marble fountain", "a ruined wall", "a wooden bridge",
    "a bell tower", "a rose garden", "a statue of a bear", "a salt mine",
)  # fmt: skip

WORK = (
    "a baker", "a miller", "a sailor", "a doctor", "a teacher", "a potter",
    "a gardener", "a painter", "a pilot", "a singer", "an inventor",
    "a carpenter", "a shepherd", "a clockmaker", "an astronomer", "a farmer",
)  # fmt: skip
