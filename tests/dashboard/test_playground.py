"""The Playground's page: which models it offers to whom, what it begins with, and prompts that are kept."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.test import Client

from admin_api import access
from admin_api.actions import models, playground_keys, providers, workspace_members, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from admin_api.vault import vault
from dashboard.playground.requests import as_content
from gateway.contents.sealed import seal
from gateway.errors import InvalidRequest
from gateway.models import (
    ApiKey,
    AuditEntry,
    RequestContent,
    SavedPrompt,
    UsageEvent,
    User,
    Workspace,
)
from tests.admin_api.spending import spent
from tests.contents import kept
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db
PAGE, PROMPTS = "/playground", "/playground/prompts"


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """The frame's figures read Valkey."""


def start_of(client: Client, path: str = PAGE) -> dict[str, Any]:
    """What the page's script is given."""
    answer = client.get(path)
    assert answer.status_code == 200
    found = re.search(r'data-playground="([^"]*)"', answer.content.decode())
    assert found
    return dict(json.loads(html.unescape(found[1])))


def lab_of(people: Cast, *members: User) -> Workspace:
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    for user in members:
        workspace_members.add(
            actor=SYSTEM,
            workspace=lab,
            membership=access.membership_for(user, people.acme.id),
            role="workspace_user",
        )
    return lab


def saved(client: Client, name: str = "Haiku", **content: object) -> SavedPrompt:
    client.post(PROMPTS, {"name": name, "content": json.dumps(content)})
    return SavedPrompt.objects.get(name=name)


def key_of(people: Cast, user: User, workspace: Workspace | None = None) -> ApiKey:
    member = access.membership_for(user, people.acme.id)
    place = workspace or people.acme.workspaces.get(is_default=True)
    return playground_keys.take(actor=SYSTEM, member=member, workspace=place)


def test_it_offers_the_models_that_the_workspace_may_use(client: Client, people: Cast) -> None:
    lab = lab_of(people, people.uma)
    workspaces.set_models(actor=SYSTEM, workspace=lab, denied=["claude-opus-*"])
    as_(client, people.uma)
    everywhere = {one["name"] for one in start_of(client)["models"]}
    here = {one["name"] for one in start_of(client, f"{PAGE}?workspace={lab.id}")["models"]}
    assert {"claude-opus-5-5", "claude-haiku-5-5"} <= everywhere
    assert everywhere - here == {name for name in everywhere if name.startswith("claude-opus-")}
    told = client.get(f"{PAGE}/models?workspace={lab.id}").json()["models"]
    assert {one["name"] for one in told} == here


def test_each_model_can_be_told_what_its_family_knows(client: Client, people: Cast) -> None:
    providers.upsert(actor=SYSTEM, name="other", dialect="openai", base_url="http://10.0.0.1")
    models.upsert(actor=SYSTEM, name="gpt-x", routes=[RouteTo("other", "gpt-x")])
    models.upsert(actor=SYSTEM, name="fast", routes=[RouteTo("simulator", "claude-sonnet-4-5")])
    as_(client, people.dev)
    known = {one["name"]: one for one in start_of(client)["models"]}
    newest = known["claude-opus-5-5"]
    assert (newest["thinking"], newest["sampling"], newest["hides_thinking"]) == (["adaptive"], False, True)
    assert "xhigh" in newest["efforts"]
    assert (known["fast"]["thinking"], known["fast"]["sampling"], known["fast"]["efforts"]) == (
        ["budget"],
        True,
        [],
    )
    assert (known["gpt-x"]["thinking"], known["gpt-x"]["hottest"]) == (["budget"], 2.0)


def test_workspaces_to_choose_from_are_those_where_one_may_send(client: Client, people: Cast) -> None:
    lab = lab_of(people, people.uma)
    page = as_(client, people.uma).get(PAGE).content.decode()
    assert re.findall(r"<option value=\"(wrkspc_\w+)\"", page) == [
        people.acme.workspaces.get(is_default=True).id,
        lab.id,
    ]
    foreign = people.umbrella.workspaces.get().id
    for address in (foreign, "wrkspc_nowhere"):
        assert client.get(f"{PAGE}/models?workspace={address}").status_code == 404
    as_(client, people.dev)
    assert client.get(f"{PAGE}/models?workspace={lab.id}").status_code == 404


def test_looking_makes_no_key(client: Client, people: Cast) -> None:
    as_(client, people.dev)
    before = AuditEntry.objects.count()
    start_of(client)
    client.get(f"{PAGE}/models")
    assert not ApiKey.objects.filter(kind="playground").exists()
    assert AuditEntry.objects.count() == before


def test_a_prompt_is_kept_loaded_replaced_and_deleted(client: Client, people: Cast) -> None:
    as_(client, people.uma)
    answer = client.post(PROMPTS, {"name": " Haiku ", "content": json.dumps({"system": "Be brief."})})
    prompt = SavedPrompt.objects.get()
    assert (answer["location"], prompt.name) == (f"{PAGE}?prompt={prompt.id}", "Haiku")
    assert start_of(client, answer["location"])["content"] == {"system": "Be brief."}
    assert saved(client, "Haiku", system="Be long.").id == prompt.id
    assert start_of(client, f"{PAGE}?prompt={prompt.id}")["content"] == {"system": "Be long."}
    assert f"?prompt={prompt.id}" in client.get(PAGE).content.decode()
    assert client.post(f"{PROMPTS}/{prompt.id}/delete")["location"] == PAGE
    assert not SavedPrompt.objects.exists()


def test_saved_prompts_are_their_owners_alone(client: Client, people: Cast) -> None:
    prompt = saved(as_(client, people.uma), "Only for Uma", message="secret words")
    client.get(PAGE)  # where she is told that it is saved
    for other in (people.ada, people.dev, people.mallory):
        as_(client, other)
        assert "Only for Uma" not in client.get(PAGE).content.decode()
        assert client.get(f"{PAGE}?prompt={prompt.id}").status_code == 404
        assert client.post(f"{PROMPTS}/{prompt.id}/delete").status_code == 404
    as_(client, people.bill)
    assert client.post(PROMPTS, {"name": "Mine", "content": "{}"}).status_code == 403
    assert list(SavedPrompt.objects.all()) == [prompt]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("", "{}"),
        ("x" * 201, "{}"),
        ("Haiku", "no JSON"),
        ("Haiku", "[1]"),
        ("Haiku", '"words"'),
        ("Haiku", json.dumps({"message": "\x00"})),
        ("Haiku", json.dumps({"message": "x" * 600_000})),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    client: Client, people: Cast, name: str, content: str
) -> None:
    answer = as_(client, people.uma).post(PROMPTS, {"name": name, "content": content}, follow=True)
    assert "The prompt was not saved" in answer.content.decode()
    assert not SavedPrompt.objects.exists()


def test_names_and_words_of_a_prompt_are_text(client: Client, people: Cast) -> None:
    evil = '"><script>alert(1)</script>'
    prompt = saved(as_(client, people.uma), evil, message=evil)
    page = client.get(f"{PAGE}?prompt={prompt.id}").content.decode()
    assert "<script>alert" not in page
    assert start_of(client, f"{PAGE}?prompt={prompt.id}")["content"]["message"] == evil


def test_a_logged_request_brings_its_model_to_who_may_send_there(client: Client, people: Cast) -> None:
    lab = lab_of(people, people.uma)
    spent(key_of(people, people.uma, lab), "0.5")
    event = UsageEvent.objects.get()
    address = f"{PAGE}?request={event.request_id}"
    start = start_of(as_(client, people.uma), address)
    assert start["content"] == {"model": "m"}
    page = client.get(address).content.decode()
    assert "What it asked is not kept, or not yours to read." in page and "data-load" not in page
    assert re.search(rf'<option value="{lab.id}" selected', page)
    for stranger in (people.dev, people.mallory):
        assert as_(client, stranger).get(address).status_code == 404
    assert as_(client, people.ada).get(address).status_code == 200


ASKED = {
    "model": "an-alias",
    "max_tokens": 77,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "42"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                {"type": "text", "text": "And now?"},
            ],
        },
    ],
}


def test_what_a_logged_request_asked_is_ready_to_be_sent_again(client: Client, people: Cast) -> None:
    default = people.acme.workspaces.get(is_default=True)
    spent(key_of(people, people.uma), "0.5")
    event = UsageEvent.objects.get()
    content = kept(default)
    RequestContent.objects.update(
        request_id=event.request_id, request=seal(vault(), json.dumps(ASKED).encode())
    )
    address = f"{PAGE}/requests/{event.request_id}"
    for reader in (people.uma, people.dev, people.mallory):
        assert as_(client, reader).post(address).status_code == 404
    assert not AuditEntry.objects.filter(action="request_content.read").exists()
    as_(client, people.ada)
    assert f'data-load="{address}"' in client.get(f"{PAGE}?request={event.request_id}").content.decode()
    assert not AuditEntry.objects.filter(action="request_content.read").exists()
    found = client.post(address).json()["content"]
    assert AuditEntry.objects.get(action="request_content.read").actor_id == people.ada.id
    assert content.workspace_id == default.id
    assert found == {
        "model": "m",
        "system": "Be brief.",
        "tools": json.dumps(ASKED["tools"], indent=2),
        "thinking": "budget",
        "budget": 2000,
        "max_tokens": 77,
        "messages": ASKED["messages"][:2],
        "message": "And now?",
        "results": {"t1": "42"},
        "images": [{"name": "image", "type": "image/png", "data": "AA=="}],
    }


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"messages": [1]}', b'{"messages": 1}', b'{"messages": ["x"]}']
)
def test_what_is_no_request_is_not_shown(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        as_content("m", body)


def test_an_answer_costs_what_the_ledger_says_and_only_its_asker_is_told(
    client: Client, people: Cast
) -> None:
    spent(key_of(people, people.uma), "0.00012345")
    event = UsageEvent.objects.get()
    address = f"{PAGE}/answers/{event.request_id}"
    as_(client, people.uma)
    assert client.get(address).json() == {
        "cost": "no price set",
        "exact": "This model has no price on this gateway.",
    }
    UsageEvent.objects.update(price_version=1)
    assert client.get(address).json() == {"cost": "$0.000123", "exact": "$0.00012345"}
    assert event.cost == Decimal("0.00012345")
    assert client.get(f"{PAGE}/answers/req_nothing").json() == {"cost": None}
    for other in (people.ada, people.mallory):
        assert as_(client, other).get(address).json() == {"cost": None}


def test_changes_need_the_token_of_a_page(people: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    as_(client, people.uma)
    assert client.post(PROMPTS, {"name": "Haiku", "content": "{}"}).status_code == 403
    assert client.post(f"{PAGE}/permit").status_code == 403
    assert not SavedPrompt.objects.exists() and not ApiKey.objects.filter(kind="playground").exists()


def test_the_page_takes_the_same_few_queries_whatever_there_is(
    client: Client, people: Cast, django_assert_max_num_queries: Any
) -> None:
    as_(client, people.uma)
    for number in range(20):
        saved(client, f"Prompt {number}", message="words")
        models.upsert(actor=SYSTEM, name=f"model-{number}", routes=[RouteTo("simulator", "m")])
    with django_assert_max_num_queries(13) as captured:
        client.get(PAGE)
    assert len(captured) >= 8
