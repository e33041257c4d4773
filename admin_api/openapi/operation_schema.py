"""One handler as an operation of the OpenAPI document; what all have in common is a reference, not a copy."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, force_instance, get_doc
from drf_spectacular.utils import OpenApiResponse

from admin_api.openapi import security, shapes, tags  # noqa: F401 - two of them register what they say
from admin_api.operation import ErrorSerializer
from admin_api.serializers.rate_limits import RATE_LIMIT_ID
from gateway.errors import GatewayError

Schema = dict[str, Any]

PLATFORM = re.compile(r"^/platform/v1/")
API = re.compile(r"^/(?:platform/v1|v1/organizations)/")
COMMON_PARAMETERS = ("anthropic-version", "anthropic-beta")
COMMON_HEADERS = ("request-id", "anthropic-organization-id")
PATH_WORDS = {"rate_limit_id": RATE_LIMIT_ID}  # of ids that stand under another name where they come from
REFUSAL_NAMES = {error.status: error.__name__ for error in GatewayError.__subclasses__()}


class OperationSchema(AutoSchema):
    """drf-spectacular's reading of a handler that bears `@operation`, in this API's words."""

    def get_operation_id(self) -> str:
        """`workspaces_list`, `workspaces_members_update`, `workspaces_archive`, `platform_tiers_list`."""
        *nouns, last = re.findall(r"(?<=/)[a-z_]+(?=/|$)", API.sub("/", self.path))
        names = [*nouns, last] if self._verb == last else [*nouns, last, self._verb]
        return "_".join(["platform", *names] if PLATFORM.match(self.path) else names)

    @property
    def _verb(self) -> str:
        """A path that only takes POST, and hangs on an object, is a verb itself, such as `archive`."""
        on_one = self.path.endswith("}")
        if self.method == "GET":
            return "get" if on_one or not self._answers_a_list else "list"
        if self.method == "DELETE":
            return "delete"
        if on_one:
            return "update"
        last = self.path.rpartition("/")[2]
        return "create" if hasattr(self.view, "get") or "{" not in self.path else last

    @property
    def _answers_a_list(self) -> bool:
        answers: Any = self.get_response_serializers()
        return "data" in getattr(force_instance(answers[200]), "fields", {})

    def get_tags(self) -> list[str]:
        return [tags.tag_of(self.path)]

    def get_summary(self) -> str | None:
        """The first sentence of the handler's docstring."""
        return _doc(self._handler).partition(". ")[0].rstrip(".") or None

    def get_description(self) -> str:
        """What follows it."""
        return _doc(self._handler).partition(". ")[2]

    @property
    def _handler(self) -> Any:
        return getattr(self.view, self.method.lower())

    def _get_parameters(self) -> list[Schema]:
        own = [_as_read(parameter) for parameter in super()._get_parameters()]
        return own + [{"$ref": f"#/components/parameters/{name}"} for name in COMMON_PARAMETERS]

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: Any = "response"
    ) -> Schema:
        if isinstance(serializer, OpenApiResponse) and serializer.response is ErrorSerializer:
            return self._refusal(serializer, status_code)
        answer: Schema = super()._get_response_for_code(serializer, status_code, media_types, direction)
        return {
            "description": answer.pop("description", "") or "As asked for.",
            "headers": _headers(),
            **answer,
        }

    def _refusal(self, told: OpenApiResponse, status: str) -> Schema:
        name = REFUSAL_NAMES[int(status)]
        answer = super()._get_response_for_code(told, status)
        component = ResolvedComponent(
            name=name, type="responses", object=name, schema={**answer, "headers": _headers()}
        )
        self.registry.register_on_missing(component)
        return {"$ref": f"#/components/responses/{name}"}


def _doc(handler: Any) -> str:
    return " ".join(str(get_doc(handler)).split())


def _headers() -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in COMMON_HEADERS}


def _as_read(parameter: Schema) -> Schema:
    if parameter["in"] == "path" and parameter["name"] in PATH_WORDS:
        return {**parameter, "description": PATH_WORDS[parameter["name"]]}
    return _as_asked(parameter)


def _as_asked(parameter: Schema) -> Schema:
    """An empty value in a query is none at all, so no text has a least length; lists are named as SDKs send them."""
    if parameter["in"] != "query":
        return parameter
    schema = parameter["schema"]
    if schema.get("minLength") == 1:
        del schema["minLength"]
    return _bracketed(parameter) if schema.get("type") == "array" else parameter


def _bracketed(parameter: Schema) -> Schema:
    """`roles[]`."""
    name = parameter["name"]
    parameter["schema"].pop("default", None)
    also = f"Repeated for more than one; also read as `{name}`."
    words = " ".join(filter(None, [parameter.get("description"), also]))
    return {**parameter, "name": f"{name}[]", "description": words, "style": "form", "explode": True}
