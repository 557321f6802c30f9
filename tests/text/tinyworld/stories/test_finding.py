"""Stories of things lost, hidden and stuck."""

import re

SOUGHT = re.compile(
    r'"Is it ([^?]+)\?"|\w+ (?:looked|searched|hunted) (.+?), but'
)


def test_what_is_hidden_is_not_where_it_was_sought_in_vain(answers):
    """An answer that is the place named last, wherever that was."""
    _, asked = answers("hide")
    n_sought = 0
    for text, question, answer in asked:
        if question.startswith("Where") and "hid" in question:
            sought = {one or other for one, other in SOUGHT.findall(text)}
            place = answer.lower()
            assert place in text
            assert place not in sought
            n_sought += len(sought)
    assert n_sought > 20
