"""A JSON schema in the part of the language that Anthropic enforces.

What it does not enforce is told the model in the description, as Anthropic's own SDKs do it.
Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

import msgspec

from gateway.errors import InvalidRequest

_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)
_BY_NAME = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf")
_KEPT = frozenset(
    ("type", "enum", "const", "title", "default", "required", "items", "$ref", *_BY_NAME, *_LISTS)
)
# They say nothing of the answer, or are told anew.
_LEFT_OUT = ("$schema", "$id", "$comment", "examples", "description", "additionalProperties")


def limited(raw: msgspec.Raw, field: str) -> msgspec.Raw:
    """Every object closed, `oneOf` as `anyOf`, no other keywords than those known.

    `raw` is a JSON object. Raises `InvalidRequest` naming `field`.
    """
    try:
        schema = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise InvalidRequest(f"{field}: a number is out of range") from None
    return msgspec.Raw(msgspec.json.encode(_limited(schema)))


def _limited(schema: object) -> object:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and "$defs" not in schema and "definitions" not in schema:
        return {"$ref": schema["$ref"]}  # nothing may stand beside it
    if "oneOf" in schema and "anyOf" not in schema:
        schema = {("anyOf" if name == "oneOf" else name): part for name, part in schema.items()}
    kept = {name: _part(name, part) for name, part in schema.items() if _is_enforced(name, part)}
    untold = {
        name: part for name, part in schema.items() if not _is_enforced(name, part) and name not in _LEFT_OUT
    }
    if description := _described(schema.get("description"), untold):
        kept["description"] = description
    if schema.get("type") == "object" or "properties" in schema:
        kept["additionalProperties"] = False
        kept.setdefault("properties", {})
    return kept


def _is_enforced(name: str, part: object) -> bool:
    if name == "format":
        return part in _FORMATS
    if name == "minItems":
        return part in (0, 1)
    return name in _KEPT


def _part(name: str, part: object) -> object:
    if name in _BY_NAME and isinstance(part, dict):
        return {key: _limited(value) for key, value in part.items()}
    if name in _LISTS and isinstance(part, list):
        return [_limited(value) for value in part]
    return _limited(part) if name == "items" else part


def _described(description: object, untold: dict[str, object]) -> str:
    """The description, and behind it the keywords that are not enforced."""
    told = [description] if isinstance(description, str) and description else []
    if untold:
        words = (f"{name}: {msgspec.json.encode(part).decode()}" for name, part in untold.items())
        told.append("{" + ", ".join(words) + "}")
    return "\n\n".join(told)
