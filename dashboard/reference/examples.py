"""Examples made from schemas: a request for a shell, and an answer in JSON."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from dashboard.reference.references import References, Schema

DEEPEST = 8
VERSION = "2023-06-01"
_BY_FORMAT = {
    "date-time": "2026-03-14T09:26:53Z",
    "date": "2026-03-14",
    "uuid": "8f14e45f-ceea-467f-a0e6-d2cb3a1e9d07",
    "email": "ada@example.com",
}
# What ids of a kind begin with; an object's own `id` is of the kind that its `type` says.
_PREFIXES = {
    "user": "user",
    "invite": "invite",
    "workspace": "wrkspc",
    "service_account": "svac",
    "api_key": "apikey",
    "rate_limit": "rl",
    "spend_limit": "spl",
    "spend_limit_increase_request": "slir",
}
_IDS = {f"{kind}_id": f"{prefix}_..." for kind, prefix in _PREFIXES.items()}
_BY_NAME = _IDS | {
    "email": "ada@example.com",
    "model": "claude-sonnet-5-5",
    "content": "Hello",
    "input": "Hello",
    "amount": "50000",
    "request_id": "req_...",
}


def request(
    base_url: str,
    path: str,
    method: str,
    credential: str,
    body: Schema,
    references: References,
    parameters: Sequence[Schema] = (),
) -> str:
    """For curl, with the parameters that the query cannot do without.

    Ids in the path begin as theirs do; names whose kind nothing tells stand in capitals, as does the key.
    """
    place = re.sub(r"\{(\w+)\}", lambda match: _IDS.get(match[1], match[1].upper()), path)
    url = f"{base_url}{place}{_query(parameters, references)}"
    lines = [f"curl {'-X DELETE ' if method == 'delete' else ''}{shlex.quote(url) if '?' in url else url}"]
    if credential:
        lines.append(f'-H "x-api-key: ${credential.upper().replace(" ", "_")}"')
        lines.append(f'-H "anthropic-version: {VERSION}"')
    if method == "post" and body:
        lines.append('-H "content-type: application/json"')
        lines.append(f"-d {shlex.quote(json.dumps(_least(body, references), ensure_ascii=False))}")
    elif method == "post":
        lines.insert(1, "-X POST")
    return " \\\n  ".join(lines)


def _query(parameters: Sequence[Schema], references: References) -> str:
    needed = [one for one in parameters if one["in"] == "query" and one.get("required")]
    given = [f"{one['name']}={_value(one['name'], one['schema'], references, 0)}" for one in needed]
    return f"?{'&'.join(given)}" if given else ""


def written(schema: Schema, references: References) -> str:
    """The whole object, indented; empty for what is no JSON."""
    return json.dumps(_value("", schema, references, 0), indent=2, ensure_ascii=False) if schema else ""


def _least(body: Schema, references: References) -> Any:
    """What has to be sent, or the first field where nothing has to."""
    properties = body.get("properties", {})
    names = body.get("required") or list(properties)[:1]
    return {name: _value(name, properties[name], references, 1) for name in names if name in properties}


def _value(name: str, schema: Schema, references: References, depth: int) -> Any:
    schema = references.followed(schema)
    if alternatives := schema.get("oneOf") or schema.get("anyOf"):
        return _value(name, alternatives[0], references, depth)
    for known in ("const", "default"):
        if schema.get(known) not in (None, "", []):
            return schema[known]
    if "enum" in schema:
        return schema["enum"][0]
    types = schema.get("type", "object")
    return _of_type(types[0] if isinstance(types, list) else types, name, schema, references, depth)


def _of_type(type: str, name: str, schema: Schema, references: References, depth: int) -> Any:
    match type:
        case "object":
            inner = schema.get("properties", {}) if depth < DEEPEST else {}
            kind = _value("", inner["type"], references, depth + 1) if "type" in inner else ""
            return {
                key: _value(f"{kind}_id" if key == "id" else key, value, references, depth + 1)
                for key, value in inner.items()
            }
        case "array":
            return [_value(name, schema["items"], references, depth + 1)] if schema.get("items") else []
        case "integer" | "number":
            return schema.get("minimum") or 1
        case "boolean":
            return False
    return _BY_FORMAT.get(schema.get("format", "")) or _BY_NAME.get(name, "...")
