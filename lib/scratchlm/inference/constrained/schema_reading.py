"""Reading a JSON schema: where one stands in it, and what its keywords say."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, TypeAlias
from urllib.parse import unquote

Schema: TypeAlias = Mapping[str, Any] | bool

ANY = "any value"  # the name of a rule; no path of a schema reads so
TYPES = (
    "object", "array", "string", "number", "integer", "boolean", "null",
)  # fmt: skip
OF_PYTHON = {
    dict: "object", list: "array", str: "string", bool: "boolean",
    type(None): "null", int: "integer",
}  # fmt: skip
# What says nothing about values.
ANNOTATIONS = {
    "$schema", "$comment", "$defs", "definitions", "title", "description",
    "default", "examples", "deprecated", "readOnly", "writeOnly",
}  # fmt: skip
KEYWORDS = ANNOTATIONS | {
    "$ref", "type", "enum", "const", "anyOf", "oneOf", "properties",
    "required", "additionalProperties", "items", "prefixItems", "minItems",
    "maxItems", "uniqueItems", "minLength", "maxLength", "pattern",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A schema within a document.

    Args:
        schema: what stands there.
        root: the document; the schema itself if not given.
        path: how to get there, as ``#/properties/name``.
    """

    schema: Any
    root: Any = None
    path: str = "#"

    def __post_init__(self) -> None:
        if self.root is None:
            object.__setattr__(self, "root", self.schema)

    def at(self, *steps: str | int, **schema: Any) -> "Place":
        """Return a place within this one.

        Args:
            steps: keywords and positions.
            schema: ``schema``, what stands there if not what is found.
        """
        found = schema.get("schema")
        if not schema:
            found = self.schema
            for step in steps:
                found = found[step]
        escaped = [
            str(step).replace("~", "~0").replace("/", "~1") for step in steps
        ]
        return Place(found, self.root, "/".join([self.path, *escaped]))

    def wrong(self, keyword: str, why: str) -> ValueError:
        """Return the error that names a keyword and where it stands."""
        return ValueError(f"{keyword!r} at {self.path}: {why}")

    @property
    def said(self) -> dict[str, Any]:
        """What the schema says about values, without annotations."""
        if self.schema is True:
            return {}
        return {k: v for k, v in self.schema.items() if k not in ANNOTATIONS}

    def check(self) -> None:
        """Refuse what is no schema, and keywords that are not supported.

        Raises:
            ValueError: for the first of them.
        """
        if self.schema is True:
            return
        if not isinstance(self.schema, Mapping):
            raise ValueError(
                f"{self.schema!r} at {self.path} is no schema; give an object "
                "or a boolean"
            )
        for keyword in self.schema:
            if keyword not in KEYWORDS:
                raise self.wrong(
                    keyword,
                    "this keyword is not supported; leave it out, and check "
                    "the values afterwards",
                )

    def target(self) -> "Place":
        """Return the place that ``$ref`` points to.

        Raises:
            ValueError: it is outside of the document, or nothing is there.
        """
        pointer = self.schema["$ref"]
        if not isinstance(pointer, str) or not (
            pointer == "#" or pointer.startswith("#/")
        ):
            raise self.wrong(
                "$ref", f"{pointer!r} is no place of this document, as "
                "'#/$defs/name' is one"
            )  # fmt: skip
        found, path = self.root, "#"
        for raw in pointer.split("/")[1:]:
            path = f"{path}/{raw}"
            step = unquote(raw).replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(step) if isinstance(found, list) else step]
            except (KeyError, IndexError, ValueError, TypeError):
                raise self.wrong("$ref", f"nothing is at {path}") from None
        return Place(found, self.root, path)


def refuse_beside(keyword: str, said: Mapping[str, Any], place: Place) -> None:
    """Refuse keywords that would have to hold together with this one.

    Raises:
        ValueError: for the first of them.
    """
    for other in said:
        if other != keyword:
            raise place.wrong(
                other,
                f"is not supported beside {keyword!r}; move it into what "
                "that names",
            )


def schemas(place: Place, keyword: str) -> list[Place]:
    """Return the schemas that a keyword lists.

    Raises:
        ValueError: it lists none.
    """
    found = place.schema[keyword]
    if not isinstance(found, list) or not found:
        raise place.wrong(keyword, "give a list of at least one schema")
    return [place.at(keyword, i) for i in range(len(found))]


def names(place: Place, keyword: str, kind: type) -> list[str]:
    """Return the names that ``properties`` or ``required`` gives.

    Raises:
        ValueError: it is of another kind, or a name is no text.
    """
    found: Any = place.schema.get(keyword, kind())
    if not isinstance(found, dict | list) or not isinstance(found, kind):
        raise place.wrong(keyword, f"give a {kind.__name__}")
    for name in found:
        try:
            name.encode()
        except (AttributeError, UnicodeEncodeError):
            raise place.wrong(keyword, f"{name!r} is no name") from None
    return [*found]


def count(place: Place, keyword: str) -> int | None:
    """Return a length; None where nothing is said.

    Raises:
        ValueError: it is no whole number from 0.
    """
    if keyword not in place.schema:
        return None
    value = place.schema[keyword]
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or value != value // 1
        or value < 0
    ):
        raise place.wrong(keyword, f"{value!r} is no whole number from 0")
    return int(value)


def bounds(place: Place) -> tuple[int | None, int | None]:
    """Return the least and the greatest integer.

    Raises:
        ValueError: a bound is no finite number.
    """
    schema = place.schema
    found: dict[str, int] = {}
    ways: tuple[tuple[str, Callable[[Any], int]], ...] = (
        ("minimum", ceil),
        ("exclusiveMinimum", lambda x: floor(x) + 1),
        ("maximum", floor),
        ("exclusiveMaximum", lambda x: ceil(x) - 1),
    )
    for keyword, nearest in ways:
        if keyword not in schema:
            continue
        value = schema[keyword]
        try:
            if isinstance(value, bool):
                raise TypeError
            found[keyword] = nearest(value)
        except (TypeError, ValueError, OverflowError):
            raise place.wrong(
                keyword, f"{value!r} is no finite number"
            ) from None
    lows = [found[k] for k in ("minimum", "exclusiveMinimum") if k in found]
    highs = [found[k] for k in ("maximum", "exclusiveMaximum") if k in found]
    return max(lows, default=None), min(highs, default=None)


def type_of(value: Any) -> str:
    """Return the type of a value; of ``1.0`` it is ``integer``."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return OF_PYTHON[type(value)]


def kinds_of(place: Place) -> set[str]:
    """Return the types that a schema without references allows.

    Raises:
        ValueError: ``type`` is none.
    """
    schema = place.schema
    given = schema.get("type")
    if given is None:
        return set(TYPES) - {"integer"}
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not listed:
        raise place.wrong("type", f"{given!r} is no type")
    for kind in listed:
        if kind not in TYPES:
            raise place.wrong(
                "type", f"{kind!r} is none of {', '.join(TYPES)}"
            )
    return set(listed) - ({"integer"} if "number" in listed else set())


def finite_values(place: Place) -> list[Any] | None:
    """Return the values of ``enum`` and ``const``; None without these.

    Raises:
        ValueError: ``enum`` is no list.
    """
    schema = place.schema
    if "enum" not in schema:
        return [schema["const"]] if "const" in schema else None
    values = schema["enum"]
    if not isinstance(values, list):
        raise place.wrong("enum", "give a list of values")
    if "const" not in schema:
        return values
    one = _written(schema["const"])
    return [value for value in values if _written(value) == one]


def _written(value: Any) -> str:
    """Return a text that is the same for equal values."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [*map(plain, part)]
        whole = isinstance(part, float) and part.is_integer()
        return int(part) if whole else part

    return json.dumps(plain(value), sort_keys=True)


def apart(a: Place, b: Place, depth: int = 8) -> bool:
    """Whether no value is allowed by both of two schemas, as far as is seen.

    Args:
        a: the one.
        b: the other.
        depth: how far references and properties are followed.
    """
    if False in (a.schema, b.schema):
        return True
    if depth == 0 or True in (a.schema, b.schema):
        return False
    for one, other in ((a, b), (b, a)):
        one.check()
        options = _options(one)
        if options:
            return all(apart(x, other, depth - 1) for x in options)
    shared = _widest(a) & _widest(b)
    some, others = finite_values(a), finite_values(b)
    if some is not None and others is not None:
        return {*map(_written, some)}.isdisjoint(map(_written, others))
    return not shared or (
        shared == {"object"} and _told_apart(a, b, depth - 1)
    )


def _options(place: Place) -> list[Place]:
    """The schemas of which one must hold; none where it says all itself."""
    if "$ref" in place.schema:
        return [place.target()]
    for keyword in ("anyOf", "oneOf"):
        if keyword in place.schema:
            return schemas(place, keyword)
    return []


def _told_apart(a: Place, b: Place, depth: int) -> bool:
    """Whether a property that both require has no value in common."""
    needed = [
        {*names(x, "required", list)} & {*names(x, "properties", dict)}
        for x in (a, b)
    ]
    return any(
        apart(a.at("properties", name), b.at("properties", name), depth)
        for name in sorted(needed[0] & needed[1])
    )


def _widest(place: Place) -> set[str]:
    """The types of a schema, integers among the numbers."""
    values = finite_values(place)
    kinds = kinds_of(place)
    if values is not None:
        kinds = {*map(type_of, values)}
    return {"number" if kind == "integer" else kind for kind in kinds}
