"""The OpenAPI document: whole, valid, the same every time, and for everybody."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from rest_framework.views import APIView

from admin_api.openapi import document
from gateway.configuration import PROJECT_DIR
from tests.admin_api.door import Door

SCHEMA = document.document()
METHODS = ("get", "post", "delete")
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
]
DATA_PLANE = [
    (path, method)
    for path, methods in document._data_plane()["paths"].items()
    for method, operation in methods.items()
    if operation["security"]
]
HEALTH = ["/healthz", "/readyz", "/metrics", "/version"]


def test_the_document_is_valid_and_made_without_a_warning() -> None:
    GENERATOR_STATS.reset()
    fresh = document.document.__wrapped__()

    validate_schema(fresh)
    assert fresh["openapi"].startswith("3.1")
    assert [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache] == []


def test_every_reference_leads_somewhere() -> None:
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', document.written().decode())):
        place: Any = SCHEMA
        for part in reference.split("/"):
            place = place[part]
        assert place, reference


def handlers() -> Iterator[tuple[str, str, Any]]:
    """Every method of every view of Django REST framework: where it stands, its method, its function."""
    for path, view in views(get_resolver().url_patterns, ""):
        for method in METHODS:
            if hasattr(view, method):
                yield path, method, getattr(view, method)


def views(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, type[APIView]]]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, path)
        elif issubclass(getattr(pattern.callback, "cls", object), APIView):
            yield path, pattern.callback.cls


def test_no_sentence_is_cut_at_its_comma() -> None:
    """In YAML's braces the rest of one becomes a key without a value."""

    def keys_without_a_value(value: object) -> Iterator[str]:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if isinstance(value, dict):
            yield from (str(key) for key, one in value.items() if one is None)
        for one in inside:
            yield from keys_without_a_value(one)

    assert list(keys_without_a_value(document._data_plane())) == []


def test_no_handler_is_left_undocumented() -> None:
    found = list(handlers())
    bare = [
        (path, method) for path, method, handler in found if "schema" not in getattr(handler, "kwargs", {})
    ]
    described = [
        (path, method)
        for path, methods in SCHEMA["paths"].items()
        for method in methods
        if (path, method) not in DATA_PLANE and path not in HEALTH
    ]

    assert bare == []
    assert len(described) == len(found) > 0


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_says_what_it_is(operation: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z_]+", operation["operationId"])
    assert operation["summary"].strip() and len(operation["summary"]) <= 120
    assert operation["tags"][0] in {tag["name"] for tag in SCHEMA["tags"]}
    assert "200" in operation["responses"]


def test_ids_of_operations_are_unique() -> None:
    ids = [operation.values[0]["operationId"] for operation in OPERATIONS]  # type: ignore[index, call-overload]

    assert len(set(ids)) == len(ids)


def test_lists_in_a_query_are_named_as_sdks_send_them() -> None:
    parameters = {
        one["name"]: one for one in SCHEMA["paths"]["/v1/organizations/users"]["get"]["parameters"][:-2]
    }

    assert parameters["roles[]"]["schema"]["items"]["enum"][:2] == ["user", "developer"]
    assert "also read as `roles`" in parameters["roles[]"]["description"]
    assert "roles" not in parameters


def test_a_session_needs_the_csrf_token_only_where_it_changes_something() -> None:
    user = SCHEMA["paths"]["/v1/organizations/users/{user_id}"]
    keys: list[dict[str, list[str]]] = [{"adminKey": []}, {"adminKeyAsBearer": []}]

    assert user["get"]["security"] == [*keys, {"session": []}]
    assert user["post"]["security"] == [*keys, {"session": [], "csrfToken": []}]


def test_it_is_served_to_everybody_and_kept_by_whoever_asks(client: Client) -> None:
    answer = client.get("/openapi.json")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.content) == json.loads(json.dumps(SCHEMA))
    assert (answer.headers["cache-control"], answer.cookies, answer.headers["vary"]) == (
        "public, no-cache",
        {},
        "Accept-Encoding",  # and nobody's cookie
    )
    again = client.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.post("/openapi.json").status_code == 405


def test_it_tells_of_this_installation_nothing_but_the_address() -> None:
    text = document.written().decode()

    assert SCHEMA["servers"] == [{"url": settings.CONFIGURATION.base_url}]
    assert text.count(settings.CONFIGURATION.base_url) == 1
    assert not any(secret in text for secret in settings.CONFIGURATION.secret_values)
    assert str(PROJECT_DIR) not in text


def test_every_process_makes_the_same() -> None:
    code = "import django; django.setup(); from admin_api.openapi import document; print(document.etag())"

    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "gateway.settings", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == document.etag()


@pytest.mark.parametrize(("path", "method"), DATA_PLANE)
def test_what_is_described_beside_the_views_is_there_and_asks_for_a_key(
    door: Door, path: str, method: str
) -> None:
    assert door.ask(method.upper(), path.replace("{model}", "any"), body=b"").status == 401
    assert door.ask("PUT", path.replace("{model}", "any")).status == 405


@pytest.mark.parametrize("path", HEALTH)
def test_health_needs_none(door: Door, path: str) -> None:
    answer = door.ask("GET", path)

    assert answer.status == 200
    assert (answer.header("content-type") or "").partition(";")[0] in SCHEMA["paths"][path]["get"][
        "responses"
    ]["200"]["content"]
