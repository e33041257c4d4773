"""JSON schemas as rows: a field's name, what it holds, whether it must be there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from dashboard.reference.references import References, Schema

DEEPEST = 3  # levels of objects within objects that are told
_FORMATS = {"date-time": "time", "date": "date", "uuid": "UUID", "email": "email address", "uri": "URL"}
_BOUNDS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("maxLength", "at most {} characters"),
)


@dataclasses.dataclass(frozen=True)
class Field:
    """`kind` is such as `string or null`; `facts` are bounds and the default; `depth` counts the objects around it."""

    name: str
    kind: str
    required: bool
    about: str
    values: list[str]
    facts: str
    depth: int = 0


def parameter_field(parameter: Schema, references: References) -> Field:
    schema = references.followed(parameter["schema"])
    return _field(
        parameter["name"], schema | _about(parameter), parameter.get("required", False), references, 0
    )


def fields_of(schema: Schema, references: References, *, asked: bool = False) -> list[Field]:
    """`asked`: what the caller sends. Only there it matters what may be left out."""
    return list(_fields(schema, references, 0, asked))


def _fields(schema: Schema, references: References, depth: int, asked: bool) -> Iterator[Field]:
    for one in _shapes(schema, references):
        required = one.get("required", [])
        for name, inner in one.get("properties", {}).items():
            found = references.followed(inner)
            yield _field(name, found, asked and name in required, references, depth)
            if depth < DEEPEST:
                yield from _fields(_inside(found, references), references, depth + 1, asked)


def _shapes(schema: Schema, references: References) -> list[Schema]:
    """The schema, or its alternatives; of alternatives with the same fields the first."""
    alternatives = schema.get("oneOf") or schema.get("anyOf")
    return [references.followed(one) for one in alternatives] if alternatives else [schema]


def _inside(schema: Schema, references: References) -> Schema:
    """What a list holds, or the object itself."""
    return references.followed(schema.get("items", {})) if "items" in schema else schema


def _field(name: str, schema: Schema, required: bool, references: References, depth: int) -> Field:
    return Field(
        name=name,
        kind=_kind(schema, references),
        required=required,
        about=schema.get("description", ""),
        values=_values(_inside(schema, references)),
        facts=_facts(schema),
        depth=depth,
    )


def _about(parameter: Schema) -> Schema:
    return {"description": parameter["description"]} if "description" in parameter else {}


def _kind(schema: Schema, references: References) -> str:
    if alternatives := schema.get("oneOf") or schema.get("anyOf"):
        kinds = [_kind(references.followed(one), references) for one in alternatives]
        return " or ".join(dict.fromkeys(kinds))
    types = schema.get("type", "any")
    return " or ".join(
        _one_kind(one, schema, references) for one in (types if isinstance(types, list) else [types])
    )


def _one_kind(type: str, schema: Schema, references: References) -> str:
    if type == "array":
        return f"list of {_kind(_inside(schema, references), references)}s"
    return _FORMATS.get(schema.get("format", ""), "string") if type == "string" else type


def _values(schema: Schema) -> list[str]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [str(value) for value in values if value is not None]


def _facts(schema: Schema) -> str:
    """Such as `At least 1, at most 1,000, default 20.`"""
    told = [words.format(f"{schema[name]:,}") for name, words in _BOUNDS if schema.get(name)]
    default: Any = schema.get("default")
    if default not in (None, "", []):
        told.append(f"default {str(default).lower() if isinstance(default, bool) else default}")
    sentence = ", ".join(told)
    return f"{sentence[0].upper()}{sentence[1:]}." if told else ""
