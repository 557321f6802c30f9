"""Grammars of JSON schemas.

Supported is what can be said exactly. Each other keyword is refused with its
name and place: one that is ignored lets through what it should keep out.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

from scratchlm.inference.constrained.expression import (
    EMPTY,
    VOID,
    Expression,
    Listed,
    call,
    either,
    literal,
    repeat,
    sequence,
)
from scratchlm.inference.constrained.grammar import (
    Grammar,
    recursive,
)
from scratchlm.inference.constrained.json_values import (
    constant,
    integer,
    member,
    name_other_than,
    number,
    scalar,
    string,
)
from scratchlm.inference.constrained.schema_reading import (
    ANY,
    TYPES,
    Place,
    Schema,
    apart,
    bounds,
    count,
    finite_values,
    kinds_of,
    names,
    refuse_beside,
    schemas,
    type_of,
)


def json_schema(schema: Schema, *, spaced: bool = False) -> Grammar:
    r"""Return the grammar of the JSON texts that a schema allows.

    Members stand in the order of ``properties``, then names that only
    ``required`` has, then others where they are allowed; a name among these
    may come twice, as JSON permits. Strings of a ``pattern``, an ``enum``
    and names are spelled in the shortest way, other strings in any. An
    integer has no fraction and no exponent. There is no white space but
    what ``spaced`` allows.

    Args:
        schema: as ``json.loads`` gives it, by JSON Schema 2020-12. Of it:
            ``type``, ``enum``, ``const``, ``anyOf``, ``oneOf`` if its
            options exclude each other, ``$ref`` within the document,
            ``$defs``; ``properties``, ``required``,
            ``additionalProperties``; ``items``, ``prefixItems``,
            ``minItems``, ``maxItems``; ``minLength``, ``maxLength``,
            ``pattern``; bounds of integers.
        spaced: whether one space may stand behind a colon and a comma.

    Raises:
        ValueError: a keyword is not supported, there or with those beside
            it; the schema is malformed; or nothing satisfies it.

    Source: Wright et al. 2022, "JSON Schema: A Media Type for Describing
    JSON Documents".
    """
    gap = repeat(literal(b" "), 0, 1) if spaced else EMPTY
    compiler = _Compiler(schema, gap)
    compiler.rule(Place(schema))
    return recursive("#", compiler.rules)


class _Compiler:
    """Turns schemas into expressions, one rule for each that is referred to.

    Args:
        root: the whole document.
        gap: what may stand behind a colon and a comma.
    """

    def __init__(self, root: Schema, gap: Expression):
        self.root = root
        self.gap = gap
        self.comma = sequence(literal(b","), gap)
        self.rules = Listed()

    def rule(self, place: Place) -> Expression:
        """Return the call of the rule for a schema, and make the rule."""
        key = place.path
        if key not in self.rules.bodies:
            self.rules.bodies[key] = VOID  # for the time being
            self.rules.bodies[key] = self.expression(place)
        return call(self.rules, key)

    def anything(self) -> Expression:
        """Return the call of the rule for any value."""
        if ANY not in self.rules.bodies:
            self.rules.bodies[ANY] = VOID
            kinds = [kind for kind in TYPES if kind != "integer"]
            options = [self._of_type(kind, Place({})) for kind in kinds]
            self.rules.bodies[ANY] = either(*options)
        return call(self.rules, ANY)

    def expression(self, place: Place) -> Expression:
        """Return the values that the schema at a place allows."""
        if place.schema is False:
            return VOID
        place.check()
        said = place.said
        if not said:
            return self.anything()
        if "$ref" in said:
            refuse_beside("$ref", said, place)
            return self.rule(place.target())
        if "enum" in said or "const" in said:
            return self._constants(said, place)
        for keyword in ("anyOf", "oneOf"):
            if keyword in said:
                refuse_beside(keyword, said, place)
                return self._options(keyword, place)
        kinds = kinds_of(place)
        return either(*[self._of_type(k, place) for k in TYPES if k in kinds])

    def _options(self, keyword: str, place: Place) -> Expression:
        options = schemas(place, keyword)
        pairs = combinations(options, 2)
        if keyword == "oneOf" and not all(apart(a, b) for a, b in pairs):
            raise place.wrong(
                keyword,
                "two of its options may hold at once, as far as is seen, and "
                "a grammar cannot count; use anyOf, or options that differ "
                "in their types or in a required property's const",
            )
        return either(*map(self.expression, options))

    def _of_type(self, kind: str, place: Place) -> Expression:
        """Return the values of one type."""
        of_type: dict[str, Callable[[Place], Expression]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": lambda place: integer(*bounds(place)),
            "number": self._number,
            "boolean": lambda _: either(literal(b"true"), literal(b"false")),
            "null": lambda _: literal(b"null"),
        }
        return of_type[kind](place)

    def _number(self, place: Place) -> Expression:
        if bounds(place) != (None, None):
            raise place.wrong(
                "minimum",
                "bounds are exact for integers only; say 'type': 'integer', "
                "or leave out minimum, maximum and the exclusive ones",
            )
        return number()

    def _string(self, place: Place) -> Expression:
        pattern = place.schema.get("pattern")
        if pattern is not None and not isinstance(pattern, str):
            raise place.wrong("pattern", "give a string")
        least = count(place, "minLength") or 0
        try:
            return string(least, count(place, "maxLength"), pattern)
        except ValueError as error:
            raise place.wrong("pattern", str(error)) from error

    def _object(self, place: Place) -> Expression:
        schema = place.schema
        properties = names(place, "properties", dict)
        required = names(place, "required", list)
        extra = schema.get("additionalProperties", True)
        more = place.at("additionalProperties", schema=extra)
        other = self.expression(more)
        members = []
        for name in dict.fromkeys([*properties, *required]):
            value = other
            if name in properties:
                value = self.expression(place.at("properties", name))
            one = member(name, value, self.gap)
            members.append((one, name in required))
        taken = name_other_than([*properties, *required])
        return self._members(
            members, sequence(taken, literal(b":"), self.gap, other)
        )

    def _members(
        self, members: list[tuple[Expression, bool]], extra: Expression
    ) -> Expression:
        """Return an object of some members in order, then any of the rest."""
        # Read from the end: what may follow behind a member, and what if no
        # member has been written, so that no comma stands before the next.
        behind = repeat(sequence(self.comma, extra), 0, None)
        first = either(EMPTY, sequence(extra, behind))
        for one, required in reversed(members):
            least = 1 if required else 0
            begun = sequence(one, behind)
            first = begun if required else either(begun, first)
            following = repeat(sequence(self.comma, one), least, 1)
            behind = sequence(following, behind)
        return sequence(literal(b"{"), first, literal(b"}"))

    def _array(self, place: Place) -> Expression:
        schema = place.schema
        fixed = []
        if "prefixItems" in schema:
            fixed = [*map(self.expression, schemas(place, "prefixItems"))]
        rest = place.at("items", schema=schema.get("items", True))
        if isinstance(rest.schema, list):
            raise place.wrong("items", "a list of schemas is prefixItems now")
        item = self.expression(rest)
        least = count(place, "minItems") or 0
        most = count(place, "maxItems")
        if most is not None and most < least:
            return VOID
        if schema.get("uniqueItems"):
            raise place.wrong(
                "uniqueItems", "a grammar does not remember items"
            )
        n = len(fixed)
        more = None if most is None else max(most - n, 0)
        behind = repeat(sequence(self.comma, item), max(least - n, 0), more)
        for i in reversed(range(n)):
            before = EMPTY if i == 0 else self.comma
            one = sequence(before, fixed[i], behind)
            behind = one if i < least else either(EMPTY, one)
            if most is not None and i >= most:
                behind = EMPTY
        if n == 0:
            behind = self._list(item, least, most)
        return sequence(literal(b"["), behind, literal(b"]"))

    def _list(
        self, item: Expression, least: int, most: int | None
    ) -> Expression:
        if most == 0:
            return EMPTY if least == 0 else VOID
        following = repeat(
            sequence(self.comma, item),
            max(least - 1, 0),
            None if most is None else most - 1,
        )
        begun = sequence(item, following)
        return begun if least else either(EMPTY, begun)

    def _constants(self, said: Mapping[str, Any], place: Place) -> Expression:
        """Return those of some values that the other keywords allow."""
        values = finite_values(place)
        assert values is not None
        rest = {k: v for k, v in said.items() if k not in ("enum", "const")}
        beside = Place(rest, self.root, place.path)
        if rest and not set(rest) <= {"type"}:
            for value in values:
                if isinstance(value, dict | list):
                    raise place.wrong(
                        "enum",
                        f"{value!r} beside {', '.join(sorted(rest))}: leave "
                        "out the values that these exclude, and these",
                    )
        return either(
            *[
                self._constant(value, place)
                for value in values
                if not rest or self._allowed(value, beside)
            ]
        )

    def _constant(self, value: Any, place: Place) -> Expression:
        try:
            return constant(value, self.gap)
        except ValueError as error:
            raise place.wrong("enum", str(error)) from error

    def _allowed(self, value: Any, place: Place) -> bool:
        """Whether the keywords beside ``enum`` allow one of its values."""
        kind, kinds = type_of(value), kinds_of(place)
        if kind not in kinds and (kind != "integer" or "number" not in kinds):
            return False
        if isinstance(value, dict | list):
            return True
        alone = Place({**place.schema, "type": kind}, self.root, place.path)
        allowed = self.expression(alone)
        if allowed is VOID:
            return False
        return Grammar(allowed).accepts(scalar(value))
