"""Stories of presents, swaps and quarrels."""

import re


def test_a_present_comes_from_the_shop_that_sells_it(answers):
    """A story that sends its hero to a shop without such things."""
    world, asked = answers("gift")
    things = world.narrator.world.kinds["thing"].values
    shops = {x.name: x.links["shop"].values[0].name for x in things}
    bought = [
        (found[1], answer)
        for _, question, answer in asked
        if (found := re.search(r"(?:get|find) the (.+)\?", question))
    ]
    assert len(bought) > 20
    assert all(answer == f"At {shops[thing]}" for thing, answer in bought)
