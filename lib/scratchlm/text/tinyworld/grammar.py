"""Sentences with blanks, and who fills them.

A *line* is a set of sentences that say the same thing, its *forms*. A form
holds blanks for *roles*, ``{A}`` and ``{A.his}``, and alternatives,
``[walked|ran]``. Whoever tells a line chooses a form, one of each of its
alternatives, and an entity for each role that is still free. Every choice
shows in the sentence that makes it, so that the text gives them all back.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias, no_type_check

from scratchlm.text.tinyworld.deeds import DEEDS
from scratchlm.text.tinyworld.phrases import WORDS

MAX_TEXTS = 256  # that a segment keeps in memory
TOKENS = re.compile(r"\[[^\]]*\]|\{\w+(?:\.\w+)?\}|[^\[{]+")
PHRASES = {**WORDS, **DEEDS}
NESTED = re.compile(r"\[[^\]]*\[|\][^\[]*\]")
WORD_LIST = re.compile(r"<(\w+)>")
STARTS = {"": " ", "^": "", "/": "\n", "//": "\n\n"}


@dataclass(frozen=True)
class Slot:
    """A blank in a form.

    Args:
        role: the role that fills it, as ``A``.
        case: which of the entity's words stands here: ``his`` of ``A.his``.
    """

    role: str
    case: str


Part: TypeAlias = "str | Slot | tuple[tuple[Part, ...], ...]"
Template: TypeAlias = tuple[Part, ...]


@no_type_check  # at run time, where every blank calls it
class Entity:
    """A person, a place, a thing, a number.

    Args:
        kind: what it is; only entities of one kind can be mistaken for one
            another in a sentence that is well-formed but false.
        words: its words by case, the plain name under the empty case.
    """

    def __init__(self, kind: str, /, **words: str):
        self.kind = kind
        self.words = {"": words.pop("name"), **words}
        self.links: dict[str, Options] = {}
        self._roles: dict[str, dict[str, str]] = {}

    @property
    def name(self) -> str:
        """Its plain name."""
        return self.words[""]

    def in_role(self, role: str) -> dict[str, str]:
        """What each blank of a role holds when this entity plays it."""
        if role not in self._roles:
            self._roles[role] = {
                f"{role}.{case}" if case else role: word
                for case, word in self.words.items()
            }
        return self._roles[role]

    def __repr__(self) -> str:
        return f"Entity({self.kind!r}, name={self.name!r})"


@no_type_check  # at run time, as above
class Options:
    """Entities of which one is drawn uniformly.

    Args:
        values: the entities, all of one kind and with distinct names.
    """

    def __init__(self, values: Sequence[Entity]):
        if not values:
            raise ValueError("there is nothing to choose from; give an entity")
        self.values = tuple(values)
        self.n = len(self.values)
        self.kind = self.values[0].kind
        self.log_prob = -math.log(self.n)

    def of(self, roles: Mapping[str, Entity]) -> "Options":
        """These, whoever plays the roles."""
        return self

    @cached_property
    def allowed(self) -> frozenset[Entity]:
        """The same entities, to ask whether one is among them."""
        return frozenset(self.values)

    @cached_property
    def by_word(self) -> dict[str, dict[str, list[Entity]]]:
        """The entities by case and word."""
        found: dict[str, dict[str, list[Entity]]] = {}
        for value in self.values:
            for case, word in value.words.items():
                entities = found.setdefault(case, {}).setdefault(word, [])
                entities.append(value)
        return found


@dataclass(frozen=True)
class Linked:
    """Options that another role's entity has.

    Args:
        role: the role whose entity has them, filled before this one.
        link: their name there: ``friends`` of ``A``.
        kind: what they are.
    """

    role: str
    link: str
    kind: str

    def of(self, roles: Mapping[str, Entity]) -> Options:
        """The options, once the other role is filled."""
        return roles[self.role].links[self.link]


class Form:
    """One sentence with blanks.

    It is kept in segments, each as all the texts that its alternatives
    combine to, so that one draw a segment makes a sentence.

    Args:
        source: the sentence, with ``{A}``, ``[this|that]`` and ``<list>``.
        start: what stands between it and the sentence before.
        max_alternatives: keep so many of each ``[...]``; None keeps all.

    Raises:
        ValueError: for alternatives within alternatives.
    """

    def __init__(self, source: str, start: str, max_alternatives: int | None):
        source = WORD_LIST.sub(lambda m: f"[{PHRASES[m[1]]}]", source)
        if NESTED.search(source):
            raise ValueError(
                f"{source!r} has [...] within [...]; write it as two forms"
            )
        self.parts = (start, *_parse(source, max_alternatives))
        segments: list[tuple[str, ...]] = [("",)]
        for part in self.parts:
            texts = _templates(part)
            if len(segments[-1]) * len(texts) > MAX_TEXTS:
                segments.append(("",))
            segments[-1] = tuple(map("".join, product(segments[-1], texts)))
        self.segments = tuple((texts, len(texts)) for texts in segments)
        self.log_prob = -sum(math.log(n) for _, n in self.segments)


class Line:
    """Forms of which one is drawn uniformly.

    Args:
        name: what the line is called where a story tells it.
        forms: its sentences.
    """

    def __init__(self, name: str, forms: Sequence[Form]):
        self.name = name
        self.forms = tuple(forms)
        self.n = len(self.forms)
        self.entropy = 0.0
        for form in self.forms:
            form.log_prob -= math.log(self.n)
            self.entropy -= form.log_prob / self.n


def read_script(
    script: str,
    *,
    max_forms: int | None = None,
    max_alternatives: int | None = None,
) -> dict[str, Line]:
    r"""Lines by name, from the text that holds them.

    A name stands at the margin, its forms are indented by two, and a form
    goes on in lines that are indented by more. A name may end in a sign for
    how the line starts: ``^`` at once, ``/`` on a new line, ``//`` after an
    empty line, nothing after a space.

    Args:
        script: the text.
        max_forms: keep so many forms of each line; None keeps all.
        max_alternatives: keep so many of each ``[...]``; None keeps all.
    """
    sources: dict[str, list[str]] = {}
    forms: list[str] = []
    for row in script.splitlines():
        if row.startswith("    "):
            joint = "" if forms[-1].endswith("|") else " "
            forms[-1] += joint + row.strip()
        elif row.startswith("  "):
            forms.append(row.strip())
        elif row:
            forms = sources.setdefault(row, [])
    lines = {}
    for head, found in sources.items():
        name, _, sign = head.partition(" ")
        kept = [
            Form(source, STARTS[sign], max_alternatives)
            for source in found[:max_forms]
        ]
        lines[name] = Line(name, kept)
    return lines


def _parse(source: str, max_alternatives: int | None) -> Template:
    parts: list[Part] = []
    for token in TOKENS.findall(source):
        if token[0] == "[":
            choices = token[1:-1].split("|")[:max_alternatives]
            parts.append(tuple(_parse(choice, None) for choice in choices))
        elif token[0] == "{":
            role, _, case = token[1:-1].partition(".")
            parts.append(Slot(role, case))
        else:
            parts.append(token)
    return tuple(parts)


def _templates(part: Part) -> list[str]:
    """All texts of a part, as templates for the ``%`` operator."""
    if isinstance(part, Slot):
        return [
            f"%({part.role}.{part.case})s" if part.case else f"%({part.role})s"
        ]
    if isinstance(part, str):
        return [part]
    return [
        text
        for choice in part
        for text in map("".join, product(*map(_templates, choice)))
    ]
