"""A JSON schema in the part of the language that Anthropic enforces."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from anthropic import transform_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.protocol.chat.structured import limited


def told(schema: Any) -> Any:
    return json.loads(bytes(limited(msgspec.Raw(json.dumps(schema).encode()), "schema")))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}),
        (
            {"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
        ),
        (
            {"oneOf": [{"type": "string", "pattern": "^a"}]},
            {"anyOf": [{"type": "string", "description": '{pattern: "^a"}'}]},
        ),
        (
            {"allOf": [{"type": "object"}]},
            {"allOf": [{"type": "object", "properties": {}, "additionalProperties": False}]},
        ),
        (
            {"type": "array", "items": {"type": "object", "properties": {}}, "minItems": 0},
            {
                "type": "array",
                "items": {"type": "object", "properties": {}, "additionalProperties": False},
                "minItems": 0,
            },
        ),
        (
            {"type": "array", "minItems": 2, "maxItems": 5, "description": "Some"},
            {"type": "array", "description": "Some\n\n{minItems: 2, maxItems: 5}"},
        ),
        ({"type": "string", "format": "uuid"}, {"type": "string", "format": "uuid"}),
        ({"type": "string", "format": "regex"}, {"type": "string", "description": '{format: "regex"}'}),
        ({"type": "integer", "minimum": 1.5}, {"type": "integer", "description": "{minimum: 1.5}"}),
        ({"$ref": "#/$defs/x", "description": "beside"}, {"$ref": "#/$defs/x"}),
        (
            {
                "$ref": "#/$defs/x",
                "$defs": {"x": {"type": "object", "properties": {"format": {"type": "null"}}}},
            },
            {
                "$ref": "#/$defs/x",
                "$defs": {
                    "x": {
                        "type": "object",
                        "properties": {"format": {"type": "null"}},
                        "additionalProperties": False,
                    }
                },
            },
        ),
        ({"enum": ["a", 1, None]}, {"enum": ["a", 1, None]}),
        (
            {"type": ["object", "null"], "properties": {}},
            {"type": ["object", "null"], "properties": {}, "additionalProperties": False},
        ),
        ({"$schema": "x", "$id": "y", "examples": [1], "type": "null"}, {"type": "null"}),
    ],
)
def test_what_is_not_enforced_is_told_in_the_description(schema: Any, expected: Any) -> None:
    assert told(schema) == expected


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        limited(msgspec.Raw(b'{"minimum": 1e999}'), "response_format.json_schema.schema")
    assert caught.value.message == "response_format.json_schema.schema: a number is out of range"


_leaves = st.sampled_from(
    [{"type": "string"}, {"type": "integer"}, {"enum": ["a", "b"]}, {"type": "string", "format": "date"}]
)
_schemas = st.recursive(
    _leaves,
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 1}, inner)
        | st.builds(lambda one: {"oneOf": one}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": [*properties]},
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(_schemas)
def test_it_is_what_anthropics_own_sdk_makes_of_a_schema(schema: dict[str, Any]) -> None:
    assert told(schema) == transform_schema(schema)
