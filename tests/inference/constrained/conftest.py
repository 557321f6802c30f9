"""Schemas and values for them, drawn at random."""

import pytest
from hypothesis import strategies as st

PATTERNS = ["^[a-c]{1,3}$", "b", "^(ab|é)*$", "x?y$", "^\\d+-x?$"]
SCALARS = [None, True, False, 0, 1, -7, 2.5, "", "a", "é\n", '"', "b😀", 1.0]
STRINGS = st.text(alphabet='abcxyé😀\n"\\1-', max_size=4)


def bounded(low, high, most):
    """Keywords for a least and a greatest number, either or both or none."""
    number = st.integers(*most)
    return st.fixed_dictionaries({}, optional={low: number, high: number})


def typed(kind, keywords):
    return keywords.map(lambda found: {"type": kind, **found})


@st.composite
def objects(draw, inner):
    properties = draw(st.dictionaries(st.sampled_from("abc"), inner))
    properties = dict(sorted(properties.items()))
    schema = {"type": "object", "properties": properties}
    if properties:
        required = st.lists(st.sampled_from([*properties]), unique=True)
        schema["required"] = draw(required)
    extra = draw(st.one_of(st.none(), st.booleans(), inner))
    if extra is not None:
        schema["additionalProperties"] = extra
    return schema


@st.composite
def arrays(draw, inner):
    schema = draw(bounded("minItems", "maxItems", (0, 3)))
    if draw(st.booleans()):
        schema["items"] = draw(st.one_of(st.booleans(), inner))
    if draw(st.booleans()):
        some = st.lists(inner, min_size=1, max_size=2)
        schema["prefixItems"] = draw(some)
    return {"type": "array", **schema}


LEAVES = st.one_of(
    st.sampled_from(
        [
            True,
            {},
            {"type": "boolean"},
            {"type": "null"},
            {"type": "number"},
            {"type": ["integer", "null"], "minimum": 0},
            {"type": ["string", "array"], "maxLength": 2, "maxItems": 1},
        ]
    ),
    typed("integer", bounded("minimum", "maximum", (-30, 120))),
    typed(
        "integer",
        bounded("exclusiveMinimum", "exclusiveMaximum", (-12, 12)),
    ),
    typed("string", bounded("minLength", "maxLength", (0, 3))),
    st.sampled_from(PATTERNS).map(lambda p: {"pattern": p, "type": "string"}),
    st.lists(st.sampled_from(SCALARS), min_size=1, max_size=4).map(
        lambda values: {"enum": values}
    ),
    st.sampled_from(SCALARS).map(lambda value: {"const": value}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        arrays(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda x: {"anyOf": x}),
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    st.one_of(st.sampled_from(SCALARS), st.integers(-200, 200), STRINGS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("abcxy"), inner, max_size=3),
    ),
    max_leaves=4,
)


@st.composite
def values_for(draw, schema):
    """A value that often satisfies a schema, its members in order."""
    if not isinstance(schema, dict) or draw(st.integers(0, 9)) == 0:
        return in_order(draw(VALUES))
    if "anyOf" in schema:
        return draw(values_for(draw(st.sampled_from(schema["anyOf"]))))
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    ways = {
        "object": members_for,
        "array": items_for,
        "integer": lambda _: st.integers(-40, 130),
        "string": lambda _: STRINGS | st.sampled_from(["a", "xy", "12-x"]),
    }
    way = ways.get(str(schema.get("type")), lambda _: VALUES.map(in_order))
    return draw(way(schema))


@st.composite
def items_for(draw, schema):
    least, most = schema.get("minItems", 0), schema.get("maxItems", 4)
    n = draw(st.integers(least, max(least, most)))
    each = [*schema.get("prefixItems", []), *[schema.get("items", True)] * n]
    return [draw(values_for(inner)) for inner in each[:n]]


@st.composite
def members_for(draw, schema):
    found = {}
    for name, inner in schema["properties"].items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            found[name] = draw(values_for(inner))
    extra = schema.get("additionalProperties", True)
    for name in "xy":
        if draw(st.integers(0, 3)) == 0:
            found[name] = draw(values_for(extra))
    return found


def in_order(value):
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [*map(in_order, value)]
    return value


@pytest.fixture(scope="session")
def schemas():
    return SCHEMAS


@pytest.fixture(scope="session")
def values_of():
    return values_for
