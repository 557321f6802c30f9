"""How the book speaks, and where its numbers come from."""

import re

import pytest

from bookbuild.notebook.inline import INLINE
from bookbuild.notebook.myst import block_tokens, directive_of

NAMES = re.compile(
    r"""\b(
      GPT-[234](\.\d)?o? | Llama[ -]\d(\.\d)? | Qwen\d | Gemma-?\d | OLMo-?\d
    | UTF-(8|16|32) | ISO[ -]8859-\d+ | U\+[0-9A-F]+ | Latin-1
    | (cl100k|o200k|p50k|r50k)(_base)? | SHA-\d+ | MD5 | base64
    | Python[ ]\d+(\.\d+)? | [A-Z][A-Z0-9]*\d+ | b?float\d+ | u?int\d+
    | 1F1B | CC[ ]BY[ ]4\.0 | Apache(-|[ ])2\.0 | .*?1/\d
    )\b""",
    re.X,
)
BANNED = re.compile(
    r"""\b(
      simply | powerful(ly)? | delve[sd]? | delving | seamless(ly)?
    | leverag(e|es|ed|ing) | cutting-edge | game[- ]chang\w+ | blazing\w*
    | obviously | basically | of[ ]course | needless[ ]to[ ]say
    | it[ ]is[ ]worth[ ]noting | it's[ ]worth[ ]noting | in[ ]order[ ]to
    | under[ ]the[ ]hood | deep[ ]dive | dive[ ]into | unlock\w* | journey
    | arguably | somewhat | very[ ]unique | amazing | revolutionary
    )\b""",
    re.X | re.I,
)
ADDRESS = re.compile(r"(?<=\])\([^)\s]*://[^)\s]*\)")
DASH = re.compile("\N{EM DASH}")
SILENT = {"index", "literalinclude", "math", "code-block", "bibliography"}
SILENT |= {"eval-rst", "autoclass", "autofunction", "automodule", "toctree"}


def blocks(text, parser):
    """Yield each paragraph, list item, table and caption of a page."""
    for token in block_tokens(text, parser):
        directive = directive_of(token)
        if directive is not None and directive.name not in SILENT:
            if not directive.name.startswith("glue:"):
                yield directive.argument
            yield from blocks(directive.body, parser)
        elif token.type == "inline":
            yield token.content


def prose(notebook, parser):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from blocks(cell.source, parser)
        shown = cell.metadata.get("mystnb", {})
        yield from blocks(shown.get("figure", {}).get("caption", ""), parser)


def sentences(text):
    return re.split(r"(?<=[.!?])\s+(?=[A-Z{`*])", text)


def typed_numbers(text):
    """Return the sentences with digits that no cell and no source gave."""
    found = []
    for sentence in sentences(text):
        if "{cite" in sentence:
            continue
        bare = NAMES.sub("", INLINE.sub(" ", ADDRESS.sub("", sentence)))
        if re.search(r"\d", bare):
            found.append(sentence)
    return found


def banned_words(text):
    bare = INLINE.sub(" ", text)
    found = [match[0] for match in BANNED.finditer(bare)]
    found += [s for s in sentences(bare) if len(DASH.findall(s)) > 1]
    return found


def complaints(notebooks, parser, check):
    return [
        f"book/{name}.md: {complaint}"
        for name, notebook in notebooks.items()
        for block in prose(notebook, parser)
        for complaint in check(block)
    ]


def test_no_number_is_typed(lessons, parser):
    """A typed number is wrong as soon as the cell beside it changes."""
    found = complaints(lessons, parser, typed_numbers)
    assert not found, "\n".join(found)


def test_no_word_is_idle(notebooks, parser):
    """Marketing and hedges ask for trust where a reason should stand."""
    found = complaints(notebooks, parser, banned_words)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "It takes 5 seconds.",
        "Cited {cite}`x`. But then 5 more follow.",
        "In 2017 it began.",
        "Some 10x faster.",
    ],
)
def test_a_typed_number_is_found(text):
    """A rule that finds nothing in a bad sample guards nothing."""
    assert typed_numbers(text)


@pytest.mark.parametrize(
    "text",
    [
        "GPT-2 reads UTF-8, with cl100k and o200k, on an H200.",
        "It has `256` rows and $2^{20}$ bytes, {glue:text}`x-2:.1f` in all.",
        "They trained 1.5 billion weights {cite}`radford2019`.",
        "See [the page](https://example.org/2019) and {numref}`fig-2`.",
    ],
)
def test_names_code_math_and_sources_may_have_digits(text):
    """The rule is about numbers that the book claims."""
    assert typed_numbers(text) == []


def test_captions_exercises_and_tables_are_prose(parser):
    """Numbers hide best where nobody thinks of prose."""
    text = (
        "````{exercise}\n```{note}\nUse 5 of them.\n```\n````\n\n"
        "| a |\n| --- |\n| 6 |\n\n```{table} All 7\n| b |\n| - |\n```\n"
    )
    found = [s for b in blocks(text, parser) for s in typed_numbers(b)]
    assert found == ["Use 5 of them.", "6", "All 7"]


@pytest.mark.parametrize(
    "text", ["We simply add.", "A\N{EM DASH}b\N{EM DASH}c.", "Let us delve."]
)
def test_an_idle_word_is_found(text):
    """The list is short on purpose, and has to work."""
    assert banned_words(text)
    assert banned_words("The word `simply` in code.") == []
