"""What the Quickstart page shows is what was tested."""

from __future__ import annotations

import html
import re

import pytest
from django.conf import settings
from django.test import Client

from admin_api.actions import organizations
from admin_api.actor import SYSTEM
from dashboard.frame import snippets
from gateway import credentials
from gateway.models import ApiKey, Membership, Organization, Tier
from tests.dashboard.test_pages import as_, used
from tests.people import Cast

pytestmark = pytest.mark.django_db


def shown(page: str, identifier: str) -> str:
    match = re.search(rf'<code id="{identifier}">(.*?)</code>', page, re.S)
    assert match is not None
    return html.unescape(match[1])


@pytest.mark.parametrize("snippet", snippets.SNIPPETS, ids=lambda snippet: snippet.key)
def test_a_tab_shows_its_example_with_our_address(
    client: Client, people: Cast, snippet: snippets.Snippet
) -> None:
    page = as_(client, people.dev).get(f"/quickstart?tab={snippet.key}").content.decode()
    example = (settings.BASE_DIR / "examples" / snippet.file).read_text().strip()
    ours = settings.CONFIGURATION.base_url
    assert shown(page, "snippet") == example.replace("http://127.0.0.1:8000", ours)
    assert re.findall(r'href="\?tab=([\w-]+)" aria-current="true"', page) == [snippet.key]


def test_claude_code_gets_an_address_without_v1_and_a_bearer_token(client: Client, people: Cast) -> None:
    page = as_(client, people.dev).get("/quickstart?tab=claude-code").content.decode()
    assert shown(page, "snippet").splitlines() == [
        f'export ANTHROPIC_BASE_URL="{settings.CONFIGURATION.base_url}"',
        'export ANTHROPIC_AUTH_TOKEN="YOUR_API_KEY"',
        "unset ANTHROPIC_API_KEY",
        "claude",
    ]


def test_a_new_key_is_filled_into_every_snippet_and_shown_once(client: Client, people: Cast) -> None:
    as_(client, people.dev)
    once = re.search(r'name="once" value="([^"]+)"', client.get("/quickstart").content.decode())
    assert once
    sent = {"once": once[1], "name": "First", "workspace": people.acme.workspaces.get().id}

    answer = client.post("/quickstart?tab=curl", sent)

    page, key = answer.content.decode(), ApiKey.objects.get(name="First")
    secret = shown(page, "new-key")
    assert credentials.digest(secret, settings.CONFIGURATION.peppers[0]) == bytes(key.digest)
    assert (key.user, key.created_by) == (people.dev, people.dev)
    for snippet in snippets.SNIPPETS:
        code = shown(page, f"snippet-{snippet.key}")
        assert code == snippet.code.replace("YOUR_API_KEY", secret) and secret in code
    assert secret in shown(page, "claude-settings") and "YOUR_API_KEY" not in page
    assert re.findall(r'id="choice-([\w-]+)" checked', page) == ["curl"]
    assert f'hx-get="/api-keys/{key.id}/first-request"' in page
    assert "no-store" in answer["cache-control"]
    assert client.post("/quickstart", sent)["location"] == f"/api-keys/{key.id}"
    assert secret not in client.get("/quickstart").content.decode()


def test_an_admin_s_first_key_acts_for_the_admin(client: Client, people: Cast) -> None:
    as_(client, people.ada).post(
        "/quickstart", {"name": "First", "workspace": people.acme.workspaces.get().id}
    )
    assert ApiKey.objects.get(name="First").user == people.ada


@pytest.mark.parametrize("who", ["uma", "bill"])
def test_who_makes_no_keys_reads_whom_to_ask(client: Client, people: Cast, who: str) -> None:
    as_(client, getattr(people, who))
    page = client.get("/quickstart").content.decode()
    assert "Ask an admin or a developer" in page and "Create key" not in page
    sent = {"name": "First", "workspace": people.acme.workspaces.get().id}
    assert client.post("/quickstart", sent).status_code == 403
    assert not ApiKey.objects.exists()


def test_each_refusal_has_a_word_of_help(client: Client, people: Cast) -> None:
    page = as_(client, people.dev).get("/quickstart").content.decode()
    assert re.findall(r"<dt>(\d{3})</dt>", page) == ["401", "403", "404", "429", "529"]


def test_the_line_waits_and_turns_green(client: Client, people: Cast) -> None:
    client = as_(client, people.dev)
    waiting = client.get("/quickstart/first-request", headers={"hx-request": "true"}).content.decode()
    used(people.acme, "model-a", requests=1)
    arrived = client.get("/quickstart/first-request", headers={"hx-request": "true"}).content.decode()
    assert "Waiting for your first request" in waiting and "hx-get" in waiting
    assert "Your first request has arrived." in arrived and "hx-get" not in arrived


def test_a_name_cannot_break_out_of_the_shell_line(client: Client, people: Cast) -> None:
    evil = organizations.create(actor=SYSTEM, name="x'; rm -rf \"$HOME", tier=Tier.objects.get(name="pro"))
    Membership.objects.create(organization=evil, user=people.olga, role="admin")
    page = as_(client, people.olga).get("/quickstart").content.decode()
    assert shown(page, "make-key") == (
        ".venv/bin/python manage.py create_api_key --organization 'x'\"'\"'; rm -rf \"$HOME' --name first"
    )


def test_a_gateway_without_the_example_model_shows_one_it_has(client: Client, people: Cast) -> None:
    from gateway.models import Model

    Model.objects.filter(name=snippets.EXAMPLE_MODEL).delete()
    page = as_(client, people.dev).get("/quickstart").content.decode()
    assert snippets.EXAMPLE_MODEL not in shown(page, "snippet")
    assert re.search(r'model="claude-[\w-]+"', shown(page, "snippet"))
    assert Organization.objects.filter(pk=people.acme.pk).exists()
