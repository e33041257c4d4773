"""A tool's JSON schema in the form that a provider accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import InvalidRequest
from gateway.protocol.openai.profile import SchemaRules

# Inlining references can grow a schema exponentially; a real one has a few hundred parts.
MAX_PARTS = 20_000

_root = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_SENT = ("$schema", "$id", "cache_control")
_OF_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")


def cleaned(raw: msgspec.Raw, rules: SchemaRules, field: str) -> msgspec.Raw:
    """The schema with an object at its root; nested parts keep their bytes unless `rules` ask for more.

    Raises `InvalidRequest` naming `field`.
    """
    try:
        root = _root.decode(raw) if memoryview(raw) else {}
    except msgspec.ValidationError:
        raise InvalidRequest(f"{field}: Input should be an object") from None
    for keyword in _NOT_SENT:
        root.pop(keyword, None)
    root.setdefault("type", msgspec.Raw(b'"object"'))
    root.setdefault("properties", msgspec.Raw(b"{}"))
    encoded = msgspec.json.encode(root)
    if rules.deep:
        encoded = _deeply_cleaned(encoded, rules, field)
    return msgspec.Raw(encoded)


def _deeply_cleaned(encoded: bytes, rules: SchemaRules, field: str) -> bytes:
    try:
        return msgspec.json.encode(_Cleaning(msgspec.json.decode(encoded), rules, field).result())
    except msgspec.DecodeError:
        raise InvalidRequest(f"{field}: a number is out of range") from None
    except RecursionError:  # references that lead from one to the next, hundreds of them
        raise InvalidRequest(f"{field}: too large for this model's provider") from None


def is_strict(raw: msgspec.Raw) -> bool:
    """Whether OpenAI takes the schema as strict: every object closed, with all its properties required."""
    try:
        return _closed(msgspec.json.decode(raw))
    except msgspec.DecodeError:  # a number out of range
        return False


def _closed(schema: object) -> bool:
    if isinstance(schema, list):
        return all(map(_closed, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if isinstance(properties, dict):
        required = schema.get("required")
        names = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        if schema.get("additionalProperties") is not False or names != set(properties):
            return False
    elif schema.get("type") == "object":
        return False
    return all(
        all(map(_closed, part.values()))
        if name in _OF_SCHEMAS_BY_NAME and isinstance(part, dict)
        else _closed(part)
        for name, part in schema.items()
        if name not in ("enum", "const", "default", "examples")
    )


class _Cleaning:
    """One walk over one schema; keywords are told from properties by where they stand."""

    def __init__(self, schema: Mapping[str, Any], rules: SchemaRules, field: str) -> None:
        self._schema = schema
        self._rules = rules
        self._field = field
        self._parts = 0

    def result(self) -> object:
        return self._clean(self._schema, ())

    def _clean(self, schema: object, within: tuple[str, ...]) -> object:
        """`within` are the references being resolved: one met again is recursive, and then anything goes."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"{self._field}: too large for this model's provider")
        if isinstance(schema, list):
            return [self._clean(part, within) for part in schema]
        if not isinstance(schema, dict):
            return schema
        reference = schema.get("$ref")
        if self._rules.inline_references and isinstance(reference, str):
            return self._inlined(schema, reference, within)
        kept = {name: part for name, part in schema.items() if self._keeps(name, part)}
        return self._rewritten({name: self._part(name, part, within) for name, part in kept.items()})

    def _inlined(self, schema: dict[str, Any], reference: str, within: tuple[str, ...]) -> object:
        if reference in within:
            return {"type": "object"}
        beside = {name: part for name, part in schema.items() if name != "$ref"}
        target = self._target(reference)
        return self._clean({**target, **beside}, (*within, reference))

    def _target(self, reference: str) -> dict[str, Any]:
        found: Any = self._schema
        for step in reference.removeprefix("#").split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        if not reference.startswith("#") or not isinstance(found, dict):
            raise InvalidRequest(f"{self._field}: the reference {reference!r} leads nowhere")
        return found

    def _keeps(self, name: str, part: object) -> bool:
        if name in self._rules.removed:
            return False
        if name in ("$defs", "definitions") and self._rules.inline_references:
            return False
        formats = self._rules.formats
        return name != "format" or formats is None or (isinstance(part, str) and part in formats)

    def _part(self, name: str, part: object, within: tuple[str, ...]) -> object:
        if name in _OF_SCHEMAS_BY_NAME and isinstance(part, dict):
            return {key: self._clean(value, within) for key, value in part.items()}
        if name in ("enum", "const", "default", "examples", "required"):
            return part
        return self._clean(part, within)

    def _rewritten(self, schema: dict[str, Any]) -> dict[str, Any]:
        if self._rules.const_as_enum and "const" in schema:
            schema["enum"] = [schema.pop("const")]
            if isinstance(schema["enum"][0], str):
                schema.setdefault(
                    "type", "string"
                )  # who takes no `const` takes no `enum` without a type either
        kinds = schema.get("type")
        if self._rules.nullable_types and isinstance(kinds, list):
            named = [kind for kind in kinds if kind != "null"]
            if "null" in kinds:
                schema["nullable"] = True
            if len(named) == 1:
                schema["type"] = named[0]
            else:
                del schema["type"]
                schema["anyOf"] = [{"type": kind} for kind in named]
        return schema
