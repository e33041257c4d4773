"""Where `$ref`s of an OpenAPI document lead."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


class References:
    def __init__(self, document: Schema) -> None:
        self._document = document

    def followed(self, schema: Schema) -> Schema:
        """What a reference leads to, with what stands beside it; anything else as it is."""
        if set(schema) >= {"allOf"} and len(schema["allOf"]) == 1:
            return {**self.followed(schema["allOf"][0]), **{k: v for k, v in schema.items() if k != "allOf"}}
        if "$ref" not in schema:
            return schema
        place: Any = self._document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        return self.followed({**place, **{k: v for k, v in schema.items() if k != "$ref"}})

    def body_of(self, operation: Schema) -> Schema:
        """The schema of the JSON body; empty where there is none."""
        return self._content(operation.get("requestBody", {}))

    def answer_of(self, operation: Schema) -> Schema:
        return self._content(self.followed(operation["responses"]["200"]))

    def _content(self, holder: Schema) -> Schema:
        return self.followed(holder.get("content", {}).get("application/json", {}).get("schema", {}))
