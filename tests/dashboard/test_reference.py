"""`/docs`: the OpenAPI document as pages, without a credential and without a script."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from admin_api.openapi.document import document
from dashboard.reference.chapters import chapters_of, matching
from dashboard.reference.examples import request, written
from dashboard.reference.fields import Field, fields_of, parameter_field
from dashboard.reference.references import References

DOCUMENT = document()
CHAPTERS = chapters_of(document)
NOTHING = References({})
EVENT = {
    "type": "object",
    "required": ["scope", "at"],
    "properties": {
        "scope": {"oneOf": [{"$ref": "#/components/schemas/Scope"}, {"type": "null"}]},
        "at": {"type": "string", "format": "date-time"},
        "roles": {"type": "array", "items": {"type": "string", "enum": ["user", "billing"]}, "maxItems": 20},
        "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000, "default": 20},
    },
}
SCOPE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
REFERENCES = References({"components": {"schemas": {"Scope": SCOPE}}})


def test_every_operation_of_the_document_has_its_place() -> None:
    shown = {operation.id for chapter in CHAPTERS for operation in chapter.operations}

    assert shown == {one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_a_chapter_is_a_page_for_everybody(client: Client, chapter) -> None:  # type: ignore[no-untyped-def]
    answer = client.get(f"/docs/{chapter.slug}")
    page = answer.content.decode()

    assert answer.status_code == 200
    assert re.findall(r'<article class="card operation" id="(\w+)"', page) == [
        operation.id for operation in chapter.operations
    ]
    assert " style=" not in page and "<script>" not in page


def test_the_first_page_lists_all_operations_with_links_to_them(client: Client) -> None:
    page = client.get("/docs").content.decode()

    for chapter in CHAPTERS:
        for operation in chapter.operations:
            assert f'href="/docs/{chapter.slug}#{operation.id}"' in page


def test_a_search_keeps_what_holds_every_word(client: Client) -> None:
    found = [operation.id for one in matching(CHAPTERS, "MEMBER role") for operation in one.operations]

    assert "users_update" in found and "users_get" not in found
    assert matching(CHAPTERS, " ") == CHAPTERS
    assert {one.name for one in matching(CHAPTERS, "users")} >= {"Users"}
    page = client.get("/docs", {"q": '"><script>zebra'}).content.decode()
    assert "Nothing found" in page and "<script>zebra" not in page


def test_a_chapter_that_does_not_exist_is_a_404(client: Client, db: None) -> None:
    assert client.get("/docs/nothing").status_code == 404
    assert client.get("/docs/us\x00ers").status_code == 404
    assert client.post("/docs").status_code == 405


def test_fields_tell_kinds_bounds_and_what_is_inside() -> None:
    assert fields_of(EVENT, REFERENCES, asked=True) == [
        Field("scope", "object or null", True, "", [], ""),
        Field("id", "string", True, "", [], "", depth=1),
        Field("at", "time", True, "", [], ""),
        Field("roles", "list of strings", False, "", ["user", "billing"], "At most 20 items."),
        Field("limit", "integer or null", False, "", [], "At least 1, at most 1,000, default 20."),
    ]


def test_a_parameter_says_what_it_is_for() -> None:
    told = {"name": "page", "in": "query", "description": "Where to go on.", "schema": {"type": "string"}}

    assert parameter_field(told, NOTHING) == Field("page", "string", False, "Where to go on.", [], "")


def test_an_example_sends_what_has_to_be_sent() -> None:
    assert request("http://gw", "/v1/things/{thing_id}", "post", "Admin key", EVENT, REFERENCES) == (
        "curl http://gw/v1/things/THING_ID \\\n"
        '  -H "x-api-key: $ADMIN_KEY" \\\n'
        '  -H "anthropic-version: 2023-06-01" \\\n'
        '  -H "content-type: application/json" \\\n'
        """  -d '{"scope": {"id": "..."}, "at": "2026-03-14T09:26:53Z"}'"""
    )
    assert request("http://gw", "/healthz", "get", "", {}, NOTHING) == "curl http://gw/healthz"
    archive = request("http://gw", "/things/{id}/archive", "post", "", {}, NOTHING)
    assert archive == "curl http://gw/things/ID/archive \\\n  -X POST"


def test_an_example_asks_for_what_a_query_cannot_do_without() -> None:
    since = {"name": "starting_at", "in": "query", "required": True, "schema": EVENT["properties"]["at"]}  # type: ignore[index]
    page = {"name": "page", "in": "query", "schema": {"type": "string"}}

    shown = request("http://gw", "/report", "get", "", {}, NOTHING, [since, page])

    assert shown == "curl 'http://gw/report?starting_at=2026-03-14T09:26:53Z'"
    reports = [one for chapter in CHAPTERS for one in chapter.operations if "_report" in one.path]
    assert len(reports) == 3 and all("?starting_at=2026-03-14" in one.request_example for one in reports)


def test_ids_in_examples_begin_as_those_of_their_kind() -> None:
    shown = {one.id: one for chapter in CHAPTERS for one in chapter.operations}

    assert "/workspaces/wrkspc_.../members/user_... " in shown["workspaces_members_get"].request_example
    assert json.loads(shown["workspaces_members_get"].answer_example)["workspace_id"] == "wrkspc_..."
    assert json.loads(shown["users_get"].answer_example)["id"] == "user_..."
    assert json.loads(shown["users_list"].answer_example)["data"][0]["id"] == "user_..."


def test_what_is_deep_in_an_answer_is_shown_with_its_fields() -> None:
    shown = {one.id: one for chapter in CHAPTERS for one in chapter.operations}

    [bucket] = json.loads(shown["usage_report_messages_get"].answer_example)["data"]
    assert bucket["results"][0]["server_tool_use"] == {"web_search_requests": 1}
    assert '"source": {}' not in shown["workspaces_rate_limits_list"].answer_example


def test_an_example_of_an_answer_is_whole() -> None:
    assert written(
        {"type": "object", "properties": {"data": {"type": "array", "items": SCOPE}}}, NOTHING
    ) == ('{\n  "data": [\n    {\n      "id": "..."\n    }\n  ]\n}')
