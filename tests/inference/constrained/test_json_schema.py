import json
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scratchlm.inference.constrained.json_schema import json_schema

NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {
                    "anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]
                },
            },
            "required": ["value", "next"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}


def text_of(value):
    """The spelling that the grammar prefers; 1.0 is the integer 1."""

    def plain(part):
        if isinstance(part, dict):
            return {key: plain(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [*map(plain, part)]
        whole = isinstance(part, float) and part.is_integer()
        return int(part) if whole else part

    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def grammar_or_none(schema):
    try:
        return json_schema(schema)
    except ValueError as error:
        if "allows no text" not in str(error):
            raise
        return None


def walk(grammar, seed):
    """A text of the grammar: any bytes first, then those that end it."""
    draw, text, state = random.Random(seed), b"", grammar.start()
    # Patterns without anchors end with one of two letters, and go on with
    # the other.
    orders = [
        b'"' + two + b"-}],0123456789nulatrfesx" for two in (b"by", b"yb")
    ]
    while True:
        bytes_ = [b for b in range(256) if state.expression.first >> b & 1]
        long = len(text) > 20 or not bytes_
        if state.accepts and (long or draw.random() < 0.2):
            return text
        assert len(text) < 400
        byte = draw.choice(bytes_)
        if long:
            closing = draw.choice(orders)
            byte = min(bytes_, key=lambda b: closing.find(b) % 1000)
        text, state = text + bytes([byte]), state.advance(byte)


@given(data=st.data(), seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_what_is_accepted_is_valid(data, seed, schemas):
    """A keyword that is read and forgotten: minimum beside an enum, items
    beside prefixItems, a name of additionalProperties that is declared."""
    schema = data.draw(schemas)
    grammar = grammar_or_none(schema)
    assume(grammar is not None)
    text = walk(grammar, seed)
    assert grammar.accepts(text)
    value = json.loads(text)
    assert Draft202012Validator(schema).is_valid(value), (schema, text)


@given(data=st.data())
@settings(max_examples=200)
def test_what_is_valid_is_accepted_and_nothing_else(data, schemas, values_of):
    """A comma lost behind an optional member, a bound off by one, an escape
    that counts as six characters."""
    schema = data.draw(schemas)
    value = data.draw(values_of(schema))
    grammar = grammar_or_none(schema)
    valid = Draft202012Validator(schema).is_valid(value)
    # Python's $ stands before a line end too, which is none of ECMA 262.
    assume(not valid or "pattern" not in str(schema) or "\n" not in str(value))
    accepts = grammar is not None and grammar.accepts(text_of(value))
    assert accepts == valid, (schema, value)


def test_members_have_an_order_and_one_space_at_most():
    """White space without bound lets a model write blanks for ever."""
    schema = {
        "properties": {"b": {"type": "null"}, "a": {"type": "null"}},
        "required": ["a", "z"],
        "type": "object",
    }
    compact, spaced = (json_schema(schema, spaced=s) for s in (False, True))
    text = '{"b":null,"a":null,"z":[1,2],"y":0}'
    assert compact.accepts(text)
    assert spaced.accepts(text)
    loose = text.replace(":", ": ").replace(",", ", ")
    assert spaced.accepts(loose)
    assert not compact.accepts(loose)
    assert not spaced.accepts(loose.replace(": ", ":  "))
    assert not compact.accepts('{"a":null,"b":null,"z":1}')
    assert not compact.accepts('{"a":null}')


def test_a_schema_may_refer_to_itself():
    """References that are unrolled to a fixed depth."""
    grammar = json_schema(NODE)
    for depth in (0, 1, 40):
        value = None
        for _ in range(depth + 1):
            value = {"value": depth, "next": value}
        assert grammar.accepts(text_of(value))
        assert not grammar.accepts(text_of(value)[:-1])
    whole = json_schema({"items": {"$ref": "#"}, "type": "array"})
    assert whole.accepts("[[],[[]]]")
    assert not whole.accepts("[[],[0]]")


def test_a_path_may_hold_escapes():
    """A name with a slash, found under another name or not at all."""
    schema = {"$defs": {"a/b~": {"const": 1}}, "$ref": "#/$defs/a~1b~0"}
    assert json_schema(schema).accepts("1")


def test_what_never_ends_is_cut_off():
    """A recursion without an end keeps tokens allowed that lead nowhere."""
    endless = {
        "properties": {"a": {"$ref": "#"}},
        "required": ["a"],
        "type": "object",
    }
    with pytest.raises(ValueError, match="allows no text"):
        json_schema(endless)
    either = {"anyOf": [{"$ref": "#/$defs/x"}, {"const": 7}],
              "$defs": {"x": {**endless, "properties":
                              {"a": {"$ref": "#/$defs/x"}}}}}  # fmt: skip
    grammar = json_schema(either)
    assert grammar.accepts("7")
    assert grammar.start().advance(b"{") is None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"not": {}}, "'not' at #: this keyword is not supported"),
        ({"properties": {"a": {"multipleOf": 2}}},
         "'multipleOf' at #/properties/a"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems' at #"),
        ({"type": "array", "contains": {}}, "'contains'"),
        ({"if": {}}, "'if'"),
        ({"dependentRequired": {}}, "'dependentRequired'"),
        ({"allOf": [{}]}, "'allOf'"),
        ({"format": "date"}, "'format'"),
        ({"type": "number", "minimum": 0}, "exact for integers only"),
        ({"minimum": 0}, "exact for integers only"),
        ({"$ref": "#/$defs/a", "type": "null"}, "'type' at #.*beside"),
        ({"anyOf": [{}], "maxLength": 3}, "'maxLength' at #.*beside"),
        ({"$ref": "#/$defs/a"}, r"nothing is at #/\$defs"),
        ({"$ref": "other.json"}, "no place of this document"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "'oneOf'"),
        ({"anyOf": []}, "'anyOf' at #"),
        ({"enum": [{"a": 1}], "minProperties": 1}, "'minProperties'"),
        ({"enum": [[1]], "maxItems": 1}, "'enum' at #"),
        ({"enum": 3}, "give a list"),
        ({"const": "\ud800"}, "surrogate"),
        ({"const": float("nan")}, "'enum' at #"),
        ({"type": "text"}, "'text' is none of"),
        ({"type": 3}, "3 is no type"),
        ({"type": "string", "minLength": -1}, "no whole number"),
        ({"type": "string", "pattern": "a(?=b)"}, "'pattern' at #"),
        ({"type": "string", "pattern": 3}, "give a string"),
        ({"type": "array", "items": [{}]}, "prefixItems"),
        ({"properties": []}, "'properties' at #"),
        ({"required": "a"}, "'required' at #"),
        ({"required": [3]}, "3 is no name"),
        ({"type": "integer", "minimum": "a"}, "no finite number"),
        ({"anyOf": [{"$ref": "#"}, {}]}, "begins with itself"),
        ({"items": 3}, "3 at #/items is no schema"),
        (False, "allows no text"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(schema, message):
    """xgrammar passes over not, contains and uniqueItems without a word."""
    with pytest.raises(ValueError, match=message):
        json_schema(schema)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"enum": [1, 5, 9], "minimum": 5}, ["5", "9"], ["1"]),
        ({"enum": ["a", 1, None], "type": ["string", "null"]},
         ['"a"', "null"], ["1"]),
        ({"enum": ["ab", "abc"], "pattern": "^..$", "type": "string"},
         ['"ab"'], ['"abc"']),
        ({"enum": [1, 2], "const": 2}, ["2"], ["1"]),
        ({"enum": [1.5, [1]], "type": "number"}, ["1.5"], ["[1]"]),
        ({"const": [{"a": 1.0}]}, ['[{"a":1}]'], ['[{"a":1.0}]']),
        ({"maxItems": 1, "minItems": 2, "type": ["array", "null"]},
         ["null"], ["[1]"]),
        ({"prefixItems": [{"const": 1}], "items": False, "type": "array"},
         ["[]", "[1]"], ["[1,1]", "[2]"]),
        ({"maxItems": 0, "prefixItems": [{}], "type": "array"},
         ["[]"], ["[1]"]),
        ({"type": "string", "maxLength": 2}, ['"\\u00e9\\ud83d\\ude00"'],
         ['"\\ud83d"', '"abc"']),
        ({"title": "x", "default": 3}, ["[]"], [""]),
        ({"maximum": 2.5, "exclusiveMinimum": 0, "type": "integer"},
         ["1", "2"], ["0", "3", "1.0"]),
    ],
)  # fmt: skip
def test_keywords_hold_together(schema, good, bad):
    """Each keyword alone is right, and one beside another is ignored."""
    grammar = json_schema(schema)
    assert [t for t in good if not grammar.accepts(t)] == []
    assert [t for t in bad if grammar.accepts(t)] == []


def test_one_of_is_any_of_where_the_options_exclude_each_other():
    """Read as anyOf, a oneOf lets values through that two options allow."""
    tagged = [
        {
            "properties": {"kind": {"const": name}},
            "required": ["kind"],
            "type": "object",
        }
        for name in "ab"
    ]
    grammar = json_schema({"oneOf": [*tagged, {"type": "null"}]})
    assert grammar.accepts('{"kind":"a"}')
    assert grammar.accepts("null")
    with pytest.raises(ValueError, match="'oneOf' at #"):
        json_schema({"oneOf": [tagged[0], {**tagged[1], "required": []}]})
