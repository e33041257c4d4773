"""What a request asked and was answered, on its page: shown to whom it may be shown, and that is written down."""

from __future__ import annotations

import dataclasses
import json

import pytest
from django.test import Client
from django.utils import timezone

from admin_api.actions import workspaces
from admin_api.actions.request_contents import Content
from admin_api.actor import SYSTEM
from dashboard.logs.content import said
from gateway.contents.headers import Both
from gateway.models import AuditEntry, RequestContent, WorkspaceMember
from tests.admin_api.refused import refused
from tests.contents import kept
from tests.dashboard.logged import key_of
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db
ATTACK = "<script>alert(1)</script>"
ASKED = {
    "system": "Be brief.",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": ATTACK},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40}},
            ],
        },
    ],
}
ANSWERED = {
    "type": "message",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Yes."},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"at": "it"}},
    ],
}


def content(asked: object = ASKED, answered: object = ANSWERED) -> Content:
    return Content(
        headers=None,
        request=json.dumps(asked).encode(),
        response=json.dumps(answered).encode(),
        endpoint="messages",
        status=200,
        streamed=False,
        cut=False,
        expires_at=timezone.now(),
    )


def test_a_message_is_told_as_a_conversation() -> None:
    turns = said(content()).turns

    assert [(turn.role, [(part.kind, part.text) for part in turn.parts]) for turn in turns] == [
        ("system", [("text", "Be brief.")]),
        ("user", [("text", ATTACK), ("image", "image/png, 40 characters of base64")]),
        (
            "assistant",
            [
                ("thinking", "Hm."),
                ("text", "Yes."),
                ("tool_use", '{\n  "id": "t",\n  "name": "look",\n  "input": {\n    "at": "it"\n  }\n}'),
            ],
        ),
    ]


def test_headers_are_told_as_lines() -> None:
    both = Both([("anthropic-beta", ATTACK), ("x-api-key", "[removed]")], [("request-id", "req_1")])
    told = said(dataclasses.replace(content(), headers=both))

    assert told.head == f"anthropic-beta: {ATTACK}\nx-api-key: [removed]"
    assert told.answers_head == "request-id: req_1"
    assert (said(content()).head, said(content()).answers_head) == ("", "")


@pytest.mark.parametrize(
    "asked",
    [
        [],
        {"messages": 7},
        {"messages": [{"role": "user"}]},
        "words",
        {"messages": [{"role": "user", "content": [1]}]},
    ],
)
def test_what_has_no_form_is_shown_as_it_is(asked: object) -> None:
    told = said(content(asked))

    assert told.turns == []
    assert json.loads(told.asked) == asked


def test_a_stream_that_broke_off_has_no_answer_in_the_conversation() -> None:
    broken = dataclasses.replace(content(), response=b"event: message_start\n", streamed=True, cut=True)
    told = said(broken)

    assert [turn.role for turn in told.turns] == ["system", "user"]
    assert told.answered == "event: message_start\n"


@pytest.fixture
def row(people: Cast) -> RequestContent:
    """Of a request that a limit refused, which is the quickest to be in the log."""
    workspace = people.acme.workspaces.get()
    request_id = refused(key_of(people.acme), workspace_id=workspace.id).request_id
    return kept(
        workspace,
        request_id=request_id,
        request=json.dumps(ASKED).encode(),
        response=json.dumps(ANSWERED).encode(),
    )


def test_an_admin_reads_it_after_asking_and_that_is_written_down(
    client: Client, people: Cast, row: RequestContent
) -> None:
    ada = as_(client, people.ada)
    before = ada.get(f"/logs/{row.request_id}").content.decode()
    assert "Show content" in before and "Be brief." not in before
    assert not AuditEntry.objects.filter(action="request_content.read").exists()

    page = ada.post(f"/logs/{row.request_id}/content").content.decode()

    assert "user-agent: curl/8" in page and "request-id: req_1" in page
    assert "Be brief." in page and "&lt;script&gt;alert(1)" in page and ATTACK not in page
    assert AuditEntry.objects.get(action="request_content.read").actor_id == people.ada.id


def test_the_address_of_what_was_read_leads_to_the_request(
    client: Client, people: Cast, row: RequestContent
) -> None:
    opened = as_(client, people.ada).get(f"/logs/{row.request_id}/content")

    assert opened["location"] == f"/logs/{row.request_id}"
    assert not AuditEntry.objects.filter(action="request_content.read").exists()


@pytest.mark.parametrize(("role", "status"), [("workspace_developer", 403), ("workspace_admin", 200)])
def test_of_others_only_admins_of_the_workspace_read_it(
    client: Client, people: Cast, role: str, status: int
) -> None:
    workspace = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    WorkspaceMember.objects.create(organization=people.acme, workspace=workspace, user=people.dev, role=role)
    request_id = refused(key_of(people.acme), workspace_id=workspace.id).request_id
    kept(workspace, request_id=request_id)
    dev = as_(client, people.dev)

    page = dev.get(f"/logs/{request_id}").content.decode()
    answer = dev.post(f"/logs/{request_id}/content")

    assert ("Show content" in page) == (status == 200)
    assert answer.status_code == status
    assert AuditEntry.objects.filter(action="request_content.read").count() == (status == 200)


def test_another_organization_finds_nothing(client: Client, people: Cast, row: RequestContent) -> None:
    assert as_(client, people.mallory).post(f"/logs/{row.request_id}/content").status_code == 404


def test_where_nothing_is_kept_the_page_says_so(client: Client, people: Cast) -> None:
    quiet = refused(key_of(people.acme)).request_id

    assert "was not kept" in as_(client, people.ada).get(f"/logs/{quiet}").content.decode()
    assert client.post(f"/logs/{quiet}/content").status_code == 404
