import pytest

from scratchlm.inference.constrained.schema_reading import (
    Place,
    apart,
    bounds,
    count,
    finite_values,
    kinds_of,
    type_of,
)


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ({"type": "string"}, {"type": "null"}, True),
        ({"type": "integer"}, {"type": "number"}, False),
        ({"type": ["null", "string"]}, {"type": ["null"]}, False),
        ({"const": 1}, {"const": 1.0}, False),
        ({"const": True}, {"const": 1}, True),
        ({"enum": [1, 2]}, {"enum": [3]}, True),
        ({"enum": ["a"]}, {"type": "string"}, False),
        ({"const": {"a": [1.0]}}, {"const": {"a": [1]}}, False),
        ({}, {"type": "null"}, False),
        (False, True, True),
        (True, {"type": "null"}, False),
        ({"anyOf": [{"const": 1}, {"const": 2}]}, {"const": 3}, True),
        ({"anyOf": [{"const": 1}, {"const": 3}]}, {"const": 3}, False),
        ({"$ref": "#/$defs/x"}, {"type": "null"}, True),
        ({"$ref": "#/$defs/loop"}, {"type": "null"}, False),
    ],
)
def test_options_exclude_each_other(a, b, answer):
    """Said too easily, a oneOf allows what two of its options do."""
    root = {
        "$defs": {"x": {"type": "string"}, "loop": {"$ref": "#/$defs/loop"}}
    }
    places = [Place(schema, root) for schema in (a, b)]
    assert apart(*places) == answer
    assert apart(*reversed(places)) == answer


def test_bounds_are_whole_numbers():
    """An exclusive bound of 2.5 excludes 3, and the looser bound wins."""
    place = Place({"exclusiveMinimum": 2.5, "minimum": 1, "maximum": 7.5,
                   "exclusiveMaximum": 7})  # fmt: skip
    assert bounds(place) == (3, 6)
    assert bounds(Place({})) == (None, None)


def test_types_overlap():
    """An integer listed beside number is counted twice."""
    assert kinds_of(Place({"type": ["integer", "number"]})) == {"number"}
    assert "integer" not in kinds_of(Place({}))
    assert type_of(2.0) == "integer"
    assert type_of(True) == "boolean"


def test_what_is_said_and_where():
    """An error that names the keyword and not where it stands."""
    place = Place({"a": {"b/c": {"maxItems": 2.0}}}).at("a", "b/c")
    assert place.path == "#/a/b~1c"
    assert count(place, "maxItems") == 2
    assert count(place, "minItems") is None
    assert str(place.wrong("maxItems", "no")) == "'maxItems' at #/a/b~1c: no"
    assert finite_values(Place({"enum": [1, 1.0, True], "const": 1})) == [
        1,
        1.0,
    ]
