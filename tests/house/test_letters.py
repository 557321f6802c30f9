"""Twelve letters that mean the same on every page."""

import re

import pytest

ROW = re.compile(r"^\|(?P<letters>[^|]*\$[^|]*)\|(?P<rest>.*)\|$", re.M)
ITALIC = re.compile(r"(?<![A-Za-z\\{])[A-Z](?![A-Za-z])")
SHORT = 4  # letters; shorter words, such as *of*, say nothing


def rows(text):
    """Yield the capitals of each row of letters, and what it says of them."""
    for row in ROW.finditer(text):
        yield ITALIC.findall(row["letters"]), row["rest"]


def table_of(notebook, start, end):
    text = "\n\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "markdown"
    )
    _, _, rest = text.partition(start)
    return rest.partition(end)[0]


def legend(notation):
    return {
        letter: {w for w in re.findall(r"[a-z]+", rest) if len(w) >= SHORT}
        for letters, rest in rows(
            table_of(notation, ":name: tab-legend", "```\n\n")
        )
        for letter in letters
    }


def other_meanings(text, words):
    return [
        f"{letter}: {rest.strip()}"
        for letters, rest in rows(text)
        for letter in letters
        if letter in words and not any(w in rest for w in words[letter])
    ]


def test_a_letter_of_the_legend_means_the_same_on_every_page(notebooks):
    """F once counted files on one page and the width of a layer on others,
    beside the promise that each letter has one meaning."""
    words = legend(notebooks["notation"])
    assert sorted(words) == sorted("BTSDNKHFVLEW")
    found = [
        f"book/{name}.md: {complaint}"
        for name, notebook in notebooks.items()
        for complaint in other_meanings(
            table_of(notebook, "-shapes)=", "-idea)="), words
        )
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "row", ["| $F$ | files of the corpus | |", "| $B, H$ | entropy | nats |"]
)
def test_another_meaning_is_found(notebooks, row):
    """A rule that finds nothing in a bad sample guards nothing."""
    assert other_meanings(row, legend(notebooks["notation"]))


def test_a_bold_or_script_letter_is_another_one(notebooks):
    """Matrices and sets keep the letters of the field."""
    words = legend(notebooks["notation"])
    row = r"| $\mathbf{W}$, $\mathcal{H}$ | a table, an entropy | |"
    assert other_meanings(row, words) == []
