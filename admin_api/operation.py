"""Says of a handler what it takes, answers and refuses: the source of the OpenAPI document."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import msgspec
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

from admin_api.serializers.base import Body, Query

Handler = TypeVar("Handler", bound=Callable[..., Any])

REFUSALS = {
    400: "The request is not right; the message names the field.",
    401: "No credential, or none that is valid.",
    403: "The credential may not do this.",
    404: "There is no such object in this organization.",
    405: "The path does not know this method.",
    408: "The body did not arrive in time.",
    409: "The change meets another one; look again.",
    413: "The body is too large.",
    415: "The body is not JSON, or is compressed.",
    429: "Too many wrong keys came from this address.",
    503: "The database is away; try again.",
}
ALWAYS = (400, 401, 403, 405, 429, 503)
WITH_BODY = (408, 413, 415)


@dataclasses.dataclass(frozen=True)
class Forms:
    """What checks the query and the body of a handler."""

    query: type[Query] | None
    body: type[Body] | None


class ErrorSerializer(serializers.Serializer):
    """Anthropic's envelope, around every error."""

    type = serializers.ChoiceField(["error"])
    error = inline_serializer(
        "ErrorDetail",
        {
            "type": serializers.CharField(),
            "message": serializers.CharField(),
            "details": inline_serializer(
                "ErrorDetails", {"error_code": serializers.CharField()}, required=False
            ),
        },
    )
    request_id = serializers.CharField()


def operation(
    *,
    answer: Any,
    query: type[Query] | None = None,
    body: type[Body] | None = None,
    refusals: Iterable[int] = (404,),
) -> Callable[[Handler], Handler]:
    """`answer` is the serializer of a 200; `refusals` are statuses beside those that any handler may answer."""
    statuses = {*ALWAYS, *refusals, *(WITH_BODY if body is not None else ())}
    responses: dict[int, Any] = {200: answer}
    for status in sorted(statuses):
        responses[status] = OpenApiResponse(ErrorSerializer, REFUSALS[status])
    documented: Callable[[Handler], Handler] = extend_schema(
        parameters=[query] if query is not None else [], request=body, responses=responses
    )

    def said(handler: Handler) -> Handler:
        vars(handler)["forms"] = Forms(query, body)
        return documented(handler)

    return said


def forms_of(handler: Callable[..., Any]) -> Forms:
    """What a handler says that it takes. Raises `KeyError` for one without `operation`."""
    forms: Forms = vars(handler)["forms"]
    return forms


def shape_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of an answer that is a struct, with all that it holds in place; so nothing needs a name."""
    schema = msgspec.json.schema(struct)
    shapes = schema.pop("$defs")
    return cast("dict[str, Any]", _resolved(schema, shapes))


def _resolved(schema: Any, shapes: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(part, shapes) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(shapes[schema["$ref"].rpartition("/")[2]], shapes)
    return {name: _resolved(part, shapes) for name, part in schema.items() if name != "discriminator"}


def id_page_of(item: type[serializers.Serializer]) -> serializers.Serializer:
    """The envelope of lists that are walked by ids."""
    return inline_serializer(
        f"{_noun(item)}Page",
        {
            "data": item(many=True),
            "has_more": serializers.BooleanField(),
            "first_id": serializers.CharField(allow_null=True),
            "last_id": serializers.CharField(allow_null=True),
        },
    )


def cursor_page_of(item: type[serializers.Serializer]) -> serializers.Serializer:
    """The envelope of lists that are walked by opaque cursors."""
    return inline_serializer(
        f"{_noun(item)}Page",
        {"data": item(many=True), "next_page": serializers.CharField(allow_null=True)},
    )


def _noun(item: type[serializers.Serializer]) -> str:
    return item.__name__.removesuffix("Serializer")
