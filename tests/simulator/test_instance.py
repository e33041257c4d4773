"""Values that satisfy a JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.simulator.instance import satisfying

TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#"}, "maxItems": 0},
    },
    "required": ["name", "children"],
}
POINT = {
    "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/Point"}},
    "required": ["at"],
}

CASES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "object"}, {}),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
    ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {"a": "simulated a"}),
    ({"type": "object", "required": ["b"]}, {"b": "simulated b"}),
    ({"type": ["null", "integer"]}, 1),
    ({"type": "null"}, None),
    ({"type": "boolean"}, True),
    ({"enum": ["red", "green"]}, "red"),
    ({"const": {"a": [1]}}, {"a": [1]}),
    ({"type": "integer", "minimum": 5}, 5),
    ({"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4}, 8),
    ({"type": "integer", "maximum": -3}, -3),
    ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
    ({"type": "string", "minLength": 12}, "simulated value"),
    ({"type": "string", "minLength": 20}, "simulated value....."),
    ({"type": "string", "maxLength": 4}, "simu"),
    ({"type": "string", "format": "date"}, "2026-01-31"),
    ({"type": "string", "pattern": "^[A-Z]{3}$"}, "ABC"),
    ({"type": "string", "pattern": r"^\d{5}$"}, "12345"),
    ({"type": "array", "items": {"type": "integer"}}, [1]),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True}, [1, 2, 3]),
    ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": True}, ["a", "b"]),
    ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}]}, ["simulated value", None]),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
    ({"oneOf": [{"const": 2}, {"const": 3}]}, 2),
    (
        {
            "allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"required": ["b"]}],
            "type": "object",
        },
        {"a": 1, "b": "simulated b"},
    ),
    (TREE, {"name": "simulated name", "children": []}),
    (POINT, {"at": {"x": 1}}),
]


@pytest.mark.parametrize(("schema", "value"), CASES)
def test_a_schema_gets_a_value_that_satisfies_it(schema: dict[str, Any], value: Any) -> None:
    assert satisfying(schema) == value


def test_a_schema_that_requires_itself_still_ends() -> None:
    assert "self" in satisfying(
        {"type": "object", "properties": {"self": {"$ref": "#"}}, "required": ["self"]}
    )
