"""A value that satisfies a JSON Schema: the smallest one that a reader still understands.

Known: type (also a list), properties and required, items, prefixItems, enum, const, $ref within the schema,
allOf, anyOf, oneOf, bounds of numbers, strings and arrays, the common string formats. Only required
properties are filled in. A `pattern` is met when one of a few ordinary strings meets it.
"""

from __future__ import annotations

import math
import re
from typing import Any

Schema = dict[str, Any]  # JSON Schema has no narrower type; it stays inside this module

_FORMATS = {
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "simulated@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/simulated",
    "uri-reference": "/simulated",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_ORDINARY = (
    *(
        "Simulated",
        "SIMULATED",
        "a",
        "A",
        "1",
        "12",
        "123",
        "1234",
        "12345",
        "123456",
        "AB",
        "ABC",
        "a1",
        "A1",
    ),
    *("AB12", "AB-123", "1.0", "1.0.0", "00:00", "#000000", "en-US", "+15550100", "555-0100"),
)
_DEEPEST = 32  # a schema that requires itself has no finite value


def satisfying(schema: Schema) -> Any:
    """A value for `schema`, always the same one."""
    return _value(schema, schema, "value", 0)


def _value(schema: Any, root: Schema, name: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return f"simulated {name}"
    schema = _flattened(schema, root, depth)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            rest = {key: part for key, part in schema.items() if key != several}
            return _value({"allOf": [rest, schema[several][0]]}, root, name, depth + 1)
    match _kind(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, name, depth)
        case "integer" | "number" as kind:
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
    return _string(schema, name)


def _flattened(schema: Schema, root: Schema, depth: int) -> Schema:
    """The schema with `$ref` followed and `allOf` merged; later parts add to earlier ones."""
    parts = [schema]
    if isinstance(schema.get("$ref"), str) and depth <= _DEEPEST:
        parts.append(_flattened(_referenced(schema["$ref"], root), root, depth + 1))
    parts += [_flattened(part, root, depth + 1) for part in schema.get("allOf", []) if isinstance(part, dict)]
    if len(parts) == 1:
        return schema
    merged: Schema = {}
    for part in parts:
        for key, value in part.items():
            if key in ("$ref", "allOf"):
                continue
            if key == "properties" and key in merged:
                value = {**merged[key], **value}
            if key == "required" and key in merged:
                value = list(dict.fromkeys([*merged[key], *value]))
            merged[key] = value
    return merged


def _referenced(reference: str, root: Schema) -> Schema:
    place: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else []:
        step = step.replace("~1", "/").replace("~0", "~")
        place = place.get(step) if isinstance(place, dict) else None
    return place if isinstance(place, dict) else {}


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((name for name in kind if name != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "number" if {"minimum", "maximum", "multipleOf"} & schema.keys() else "string"


def _object(schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    names = [name for name in properties if name in schema.get("required", [])]
    names += [name for name in schema.get("required", []) if name not in properties]
    return {name: _value(properties.get(name, {}), root, name, depth + 1) for name in names}


def _array(schema: Schema, root: Schema, name: str, depth: int) -> list[Any]:
    fixed = [_value(part, root, name, depth + 1) for part in schema.get("prefixItems", [])]
    least = max(schema.get("minItems", 0), min(1, schema.get("maxItems", 1)))
    items = schema.get("items", {})
    if isinstance(items, dict):
        choices = items.get("enum") if schema.get("uniqueItems") else None
        while len(fixed) < least:
            position = len(fixed)
            if choices and position < len(choices):
                fixed.append(choices[position])
                continue
            made = _value(items, root, name, depth + 1)
            fixed.append(_told_apart(made, position) if schema.get("uniqueItems") else made)
    return fixed


def _told_apart(value: Any, position: int) -> Any:
    """Array elements that must differ get their position added."""
    if isinstance(value, str) and position:
        return f"{value} {position + 1}"
    return value + position if isinstance(value, int | float) and not isinstance(value, bool) else value


def _number(schema: Schema, *, whole: bool) -> float | int:
    step = schema.get("multipleOf") or (1 if whole else None)
    nudge = step or _half_way(schema)
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    value = min(max(1, low), high)
    if value <= above:
        value = above + (nudge if step is None or above % step == 0 else 0)
    if value >= below:
        value = below - nudge
    if step:
        value = math.ceil(value / step) * step
        value = value - step if value > high or value >= below else value
    return int(value) if whole else value


def _half_way(schema: Schema) -> float:
    """A distance from an open bound that keeps the other bound."""
    low = schema.get("exclusiveMinimum", schema.get("minimum"))
    high = schema.get("exclusiveMaximum", schema.get("maximum"))
    return (high - low) / 2 if low is not None and high is not None else 0.5


def _string(schema: Schema, name: str) -> str:
    text = _FORMATS.get(schema.get("format", ""), f"simulated {name}")
    if pattern := schema.get("pattern"):
        text = next(
            (word for word in (text, *_ORDINARY, *_FORMATS.values()) if _meets(word, pattern, schema)), text
        )
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    text = text.ljust(least, ".")
    return text if most is None else text[: max(most, least)]


def _meets(word: str, pattern: str, schema: Schema) -> bool:
    try:
        long_enough = schema.get("minLength", 0) <= len(word) <= schema.get("maxLength", len(word))
        return long_enough and re.search(pattern, word) is not None
    except re.error:
        return False
