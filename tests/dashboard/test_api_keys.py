"""The pages of API keys: who sees and changes which, and that a secret is shown once and kept nowhere."""

from __future__ import annotations

import csv
import datetime
import html
import io
import re
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.actions import api_keys, service_accounts, workspace_members, workspaces
from admin_api.actions.api_keys import Cap
from admin_api.actor import SYSTEM
from gateway import credentials
from gateway.models import ApiKey, ApiKeyUse, AuditEntry, Organization, User, Workspace
from tests.admin_api.spending import spent
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = pytest.mark.django_db
WHOLE_KEY = re.compile(r"sk-gw-api01-[A-Za-z0-9_-]{30,}")
DAY = datetime.timedelta(days=1)


def key_of(organization: Organization, name: str = "Robot", **fields: Any) -> ApiKey:
    fields.setdefault("workspace", organization.workspaces.get(is_default=True))
    return api_keys.create(actor=SYSTEM, organization=organization, name=name, **fields)[0]


def text_of(client: Client, path: str) -> str:
    return html.unescape(client.get(path).content.decode())


def new_workspace(people: Cast, name: str = "Lab") -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=people.acme, name=name)


def form(client: Client, path: str, **fields: str) -> dict[str, str]:
    """The fields with the word of the form that is there."""
    once = re.search(r'name="once" value="([^"]+)"', client.get(path).content.decode())
    return {**({"once": once[1]} if once else {}), **fields}


def test_the_list_tells_of_each_key_what_there_is_to_tell(client: Client, people: Cast) -> None:
    key = key_of(people.acme, user=people.dev, created_by=people.ada, spend_limit=Cap(10_000, "monthly"))
    spent(key, "12.347")
    ApiKeyUse.objects.filter(pk=key).update(address="203.0.113.7", user_agent="Anthropic/Python 0.70")

    page = text_of(as_(client, people.ada), "/api-keys")

    for told in (
        "Robot",
        key.hint,
        "for Dev",
        "by Ada",
        "203.0.113.7",
        "Anthropic/Python 0.70",
        "$12.35",
        'title="$12.347"',
        "of $100.00 this month",
        "1 requests in 7 days",
        "Active",
    ):
        assert told in page, told
    assert re.search(r"<button[^>]*>Create key</button>", page)


def test_the_list_takes_as_many_queries_for_many_keys_as_for_one(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    counts = []
    for more in (1, 20):
        for number in range(more):
            spent(key_of(people.acme, f"Robot {number}", user=people.dev, spend_limit=Cap(1, "daily")), "1")
        with CaptureQueriesContext(connection) as queries:
            client.get("/api-keys", headers={"hx-request": "true"})
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 9


def test_older_keys_stand_on_the_next_page(client: Client, people: Cast) -> None:
    for number in range(27):
        key_of(people.acme, f"Robot {number:02}")
    page = text_of(as_(client, people.ada), "/api-keys?status=active")
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older and "status=active" in older[1]

    next_page = text_of(client, f"/api-keys{older[1]}")

    assert re.findall(r"Robot \d\d", next_page)[:1] == ["Robot 01"] and "Robot 02" not in next_page


def test_the_list_is_narrowed_by_status_and_workspace(client: Client, people: Cast) -> None:
    lab = new_workspace(people)
    past = timezone.now() - 100 * DAY
    key_of(people.acme, "in the lab", workspace=lab)
    key_of(people.acme, "of everything", workspace=None)
    off, gone, old = (key_of(people.acme, name) for name in ("switched off", "put away", "forgotten"))
    api_keys.update(actor=SYSTEM, key=off, status="inactive")
    api_keys.update(actor=SYSTEM, key=gone, status="archived")
    ApiKey.objects.filter(pk=old.pk).update(created_at=past)
    as_(client, people.ada)
    names = ("in the lab", "of everything", "switched off", "put away", "forgotten")

    def shown(query: str) -> set[str]:
        page = text_of(client, f"/api-keys?{query}")
        return {name for name in names if f">{name}</a>" in page}

    assert shown("") == set(names) - {"put away"}
    assert shown("status=inactive") == {"switched off"}
    assert shown("status=archived") == {"put away"}
    assert shown("status=stale") == {"forgotten"}
    assert shown(f"workspace={lab.id}") == {"in the lab"}
    assert shown("workspace=organization") == {"of everything"}
    assert shown("status=expired") == shown("workspace=wrkspc_nobody%00") == set()
    assert "Not used for 90 days</span>" in text_of(client, "/api-keys?status=stale")


def test_the_list_puts_what_was_used_last_first(client: Client, people: Cast) -> None:
    now = timezone.now()
    for number in range(27):
        spent(key_of(people.acme, f"Robot {number:02}"), "1", now - number * DAY)
    key_of(people.acme, "Robot 99")
    page = text_of(as_(client, people.ada), "/api-keys?sort=used")
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older and "sort=used" in older[1]

    rest = text_of(client, f"/api-keys{older[1]}")

    shown = re.findall(r"Robot \d\d", page + rest)
    assert shown == [*(f"Robot {number:02}" for number in range(27)), "Robot 99"]


def test_the_file_has_what_the_list_is_narrowed_to(client: Client, people: Cast) -> None:
    key = key_of(people.acme, "=HYPERLINK(1)", user=people.dev, spend_limit=Cap(500, "weekly"))
    spent(key, "0.0000001")
    api_keys.update(actor=SYSTEM, key=key_of(people.acme, "off"), status="inactive")
    as_(client, people.dev)

    answer = client.get("/api-keys.csv?status=active")
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))

    assert (row["id"], row["name"], row["hint"]) == (key.id, "'=HYPERLINK(1)", key.hint)
    assert (row["user_id"], row["requests_in_7_days"]) == (people.dev.id, "1")
    assert (row["spent"].rstrip("0"), row["spend_limit"], row["spend_period"]) == (
        "0.0000001",
        "5",
        "this week",
    )
    assert "active" in row["status"] and row["last_used_at"].endswith("Z")


def test_an_organization_without_keys_reads_how_to_begin(client: Client, people: Cast) -> None:
    page = text_of(as_(client, people.mallory), "/api-keys")
    assert "No keys yet" in page and f"{settings.CONFIGURATION.base_url}/v1/messages" in page


def test_developers_see_the_keys_of_workspaces_that_they_work_in(client: Client, people: Cast) -> None:
    lab, other = new_workspace(people, "Lab"), new_workspace(people, "Other")
    dev = people.acme.memberships.get(user=people.dev)
    workspace_members.add(actor=SYSTEM, workspace=lab, membership=dev, role="workspace_developer")
    keys = {
        "default": key_of(people.acme, "default key"),
        "lab": key_of(people.acme, "lab key", workspace=lab),
        "other": key_of(people.acme, "other key", workspace=other),
        "whole": key_of(people.acme, "whole key", workspace=None),
    }
    page = text_of(as_(client, people.dev), "/api-keys")

    assert {name for name in keys if f"{name} key</a>" in page} == {"default", "lab"}
    for name, key in keys.items():
        seen = client.get(f"/api-keys/{key.id}").status_code
        assert (name, seen) == (name, 200 if name in ("default", "lab") else 404)


@pytest.mark.parametrize("who", ["uma", "bill"])
def test_others_have_nothing_to_do_with_keys(client: Client, people: Cast, who: str) -> None:
    key = key_of(people.acme)
    as_(client, getattr(people, who))
    for path in ("", "/new", "/find", f"/{key.id}", f"/{key.id}/edit"):
        assert client.get(f"/api-keys{path}").status_code == 403
    assert client.post("/api-keys/new", {"name": "Mine"}).status_code == 403
    assert 'href="/api-keys"' not in text_of(client, "/quickstart")


def test_a_key_that_acts_for_somebody_else_is_not_a_developers_to_change(
    client: Client, people: Cast
) -> None:
    hers, own = key_of(people.acme, user=people.ada), key_of(people.acme, user=people.dev)
    freshly(client, people.dev)

    page = text_of(client, f"/api-keys/{hers.id}")

    assert "they and admins may change it" in page and "Archive" not in page
    for path, sent in CHANGES:
        assert client.post(f"/api-keys/{hers.id}/{path}", sent).status_code == 403
        assert client.get(f"/api-keys/{own.id}/{path}").status_code in (200, 405)
    hers.refresh_from_db()
    assert hers.status == "active"


CHANGES: list[tuple[str, dict[str, str]]] = [
    ("edit", {"name": "Taken"}),
    ("switch", {"status": "inactive"}),
    ("rotate", {"typed": "Robot", "overlap": "0"}),
    ("archive", {"typed": "Robot"}),
]


def test_nobody_sees_or_changes_keys_of_others(client: Client, people: Cast) -> None:
    theirs = key_of(people.acme)
    freshly(client, people.mallory)
    assert "Robot" not in text_of(client, "/api-keys?status=active")
    for path in ("", "/first-request", "/edit", "/rotate", "/archive"):
        assert client.get(f"/api-keys/{theirs.id}{path}").status_code == 404
    for path, sent in CHANGES:
        assert client.post(f"/api-keys/{theirs.id}/{path}", sent).status_code == 404


def made(client: Client, **fields: str) -> tuple[Any, str]:
    """The answer to the form, and the secret in it."""
    sent = form(client, "/api-keys/new", name="New", **fields)
    answer = client.post("/api-keys/new", sent)
    (secret,) = set(WHOLE_KEY.findall(answer.content.decode()))
    return answer, secret


def default_of(people: Cast) -> str:
    return str(people.acme.workspaces.get(is_default=True).id)


def test_a_new_key_is_made_as_the_form_says(client: Client, people: Cast) -> None:
    robot = service_accounts.create(actor=SYSTEM, organization=people.acme, name="robot")
    as_(client, people.ada)

    _, secret = made(
        client,
        workspace=default_of(people),
        owner=f"account:{robot.id}",
        expires_at="2999-01-02T03:04",
        spend_amount="12.34",
        spend_period="weekly",
        requests_per_minute="7",
        allowed_models="claude-*",
        allowed_ips="203.0.113.0/24\n2001:db8::1",
    )

    key = ApiKey.objects.get(name="New")
    assert credentials.kind_of(secret) == "api"
    assert bytes(key.digest) == credentials.digest(secret, settings.CONFIGURATION.peppers[0])
    assert (key.service_account, key.user, key.created_by) == (robot, None, people.ada)
    assert key.expires_at == datetime.datetime(2999, 1, 2, 3, 4, tzinfo=datetime.UTC)
    assert (key.limits, key.allowed_models) == ({"requests_per_minute": 7}, ["claude-*"])
    assert key.allowed_ips == ["203.0.113.0/24", "2001:db8::1/128"]
    assert list(key.spend_limits.values_list("amount", "period")) == [(1234, "weekly")]
    line = AuditEntry.objects.get(action="api_key.created", target_id=key.id)
    assert (line.actor_id, secret in str(line.details)) == (people.ada.id, False)


def test_a_developers_key_acts_for_the_developer(client: Client, people: Cast) -> None:
    as_(client, people.dev)
    made(client, workspace=default_of(people), owner=f"user:{people.ada.id}")
    assert ApiKey.objects.get(name="New").user == people.dev


def test_a_developer_makes_no_key_outside_their_workspaces(client: Client, people: Cast) -> None:
    other = new_workspace(people)
    as_(client, people.dev)
    for workspace in (other.id, "organization", people.umbrella.workspaces.get().id):
        page = client.post("/api-keys/new", {"name": "New", "workspace": workspace}).content.decode()
        assert "Select a valid choice" in page
    assert not ApiKey.objects.filter(name="New").exists()


def test_the_secret_is_shown_once_and_kept_nowhere(client: Client, people: Cast) -> None:
    as_(client, people.dev)

    answer, secret = made(client, workspace=default_of(people))
    page = answer.content.decode()

    assert "no-store" in answer["cache-control"]
    assert (page.count(secret), secret in str(answer.headers), secret in str(client.cookies)) == (
        1,
        False,
        False,
    )
    key = ApiKey.objects.get(name="New")
    session = str(dict(client.session.items()))
    assert (key.id in session, secret in session) == (True, False)
    for path in ("/api-keys", f"/api-keys/{key.id}", "/quickstart", "/"):
        assert secret not in client.get(path).content.decode()


def test_a_form_that_is_sent_again_makes_no_second_key(client: Client, people: Cast) -> None:
    as_(client, people.dev)
    sent = form(client, "/api-keys/new", name="New", workspace=default_of(people))
    client.post("/api-keys/new", sent)

    again = client.post("/api-keys/new", sent)

    key = ApiKey.objects.get(name="New")
    assert (again.status_code, again["location"]) == (302, f"/api-keys/{key.id}")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "This field is required"),
        ("expires_at", "2020-01-01T00:00", "Expected a time in the future"),
        ("requests_per_minute", "0", "greater than or equal to 1"),
        ("requests_per_minute", "9" * 15, "Expected a whole number from 1 to"),
        ("allowed_models", "gpt-none", "No model has the name or alias"),
        ("allowed_ips", "10.0.0.0/8\nnowhere", "is neither an address nor a network"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    client: Client, people: Cast, field: str, value: str, said: str
) -> None:
    sent = {"name": "New", "workspace": default_of(people), field: value}
    page = as_(client, people.dev).post("/api-keys/new", sent).content.decode()
    beside = re.search(rf'name="{field}".*?class="errorlist"[^>]*>\s*<li>(.*?)</li>', page, re.S)
    assert beside and said in html.unescape(beside[1])
    assert not ApiKey.objects.filter(name="New").exists()


def test_the_waiting_line_turns_green_with_the_first_request_of_that_key(
    client: Client, people: Cast
) -> None:
    as_(client, people.dev)
    answer, _ = made(client, workspace=default_of(people))
    key = ApiKey.objects.get(name="New")
    spent(key_of(people.acme, "another"), "1")
    path = f"/api-keys/{key.id}/first-request"
    waiting = client.get(path, headers={"hx-request": "true"}).content.decode()
    spent(key, "1")

    arrived = client.get(path, headers={"hx-request": "true"}).content.decode()

    assert "Waiting for your first request" in answer.content.decode()
    assert "Waiting for your first request" in waiting and f'hx-get="{path}"' in waiting
    assert "has arrived" in arrived and "hx-get" not in arrived


@pytest.mark.parametrize(
    ("overlap", "works"), [("0", False), ("3600", True), ("86400", True), ("604800", True)]
)
def test_a_rotation_shows_a_new_secret_and_keeps_the_old_one_for_the_overlap(
    client: Client, people: Cast, overlap: str, works: bool
) -> None:
    key = key_of(people.acme)
    before = bytes(key.digest)
    freshly(client, people.ada)
    path = f"/api-keys/{key.id}/rotate"
    sent = form(client, path, typed="Robot", overlap=overlap)

    page = client.post(path, sent).content.decode()

    (secret,) = WHOLE_KEY.findall(page)
    key.refresh_from_db()
    assert bytes(key.digest) == credentials.digest(secret, settings.CONFIGURATION.peppers[0])
    assert bytes(key.previous_digest or b"") == before
    expected = timezone.now() + datetime.timedelta(seconds=int(overlap))
    assert not works or abs(key.previous_until - expected) < datetime.timedelta(minutes=1)
    assert ("The secret before works until" in page) is works
    assert client.post(path, sent)["location"] == f"/api-keys/{key.id}"


@pytest.mark.parametrize("path", ["rotate", "archive"])
def test_harm_asks_for_the_name_and_a_sign_in_that_is_fresh(client: Client, people: Cast, path: str) -> None:
    key = key_of(people.acme)
    address = f"/api-keys/{key.id}/{path}"
    sent = {"typed": "Robot", "overlap": "0", "next": address}

    stale = as_(client, people.ada).post(address, sent)
    wrong = freshly(client, people.ada).post(address, {**sent, "typed": "Robo"})

    assert (stale.status_code, stale["location"].split("?")[0]) == (302, "/reauthenticate")
    assert "This is not Robot." in wrong.content.decode()
    held = ApiKey.objects.get(pk=key.pk)
    assert (held.status, bytes(held.digest)) == ("active", bytes(key.digest))


def test_an_archived_key_stays_so_and_offers_nothing(client: Client, people: Cast) -> None:
    key = key_of(people.acme)
    freshly(client, people.ada)

    answer = client.post(f"/api-keys/{key.id}/archive", {"typed": " Robot "})

    assert answer["location"] == "/api-keys"
    page = text_of(client, f"/api-keys/{key.id}")
    assert "Archived" in page and "/rotate" not in page and "/switch" not in page
    assert client.post(f"/api-keys/{key.id}/switch", {"status": "active"}).status_code == 400


def test_a_key_is_disabled_and_enabled(client: Client, people: Cast) -> None:
    key = key_of(people.acme, user=people.dev)
    as_(client, people.dev)
    for status in ("inactive", "active"):
        client.post(f"/api-keys/{key.id}/switch", {"status": status})
        key.refresh_from_db()
        assert key.status == status
    assert client.post(f"/api-keys/{key.id}/switch", {"status": "archived"}).status_code == 400
    lines = AuditEntry.objects.filter(action="api_key.changed", target_id=key.id, actor_id=people.dev.id)
    assert lines.count() == 2


def test_a_change_leaves_what_the_form_does_not_know(client: Client, people: Cast) -> None:
    """Limits that only the API sets, and the second in which the key ends."""
    until = timezone.now() + DAY
    key = key_of(people.acme, limits={"tokens_per_day": 5, "requests_per_minute": 6}, expires_at=until)
    as_(client, people.ada)
    minute = f"{until:%Y-%m-%dT%H:%M}"

    sent = {"name": "Renamed", "requests_per_minute": "8", "expires_at": minute}
    answer = client.post(f"/api-keys/{key.id}/edit", sent)

    key.refresh_from_db()
    assert answer["location"] == f"/api-keys/{key.id}"
    assert (key.name, key.limits) == ("Renamed", {"requests_per_minute": 8, "tokens_per_day": 5})
    assert key.expires_at == until


@pytest.mark.parametrize("which", ["now", "before", "nobodys", "others", "words"])
def test_a_pasted_key_leads_to_its_page_and_is_told_nowhere(
    client: Client, people: Cast, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    key, before = api_keys.create(
        actor=SYSTEM, organization=people.acme, name="Robot", workspace=people.acme.workspaces.get()
    )
    _, now = api_keys.rotate(actor=SYSTEM, key=key)
    _, others = api_keys.create(actor=SYSTEM, organization=people.umbrella, name="Theirs")
    given = {"now": now, "before": before, "others": others, "words": "a\0b"}
    secret = given.get(which) or credentials.new_secret("api")

    answer = as_(client, people.dev).post("/api-keys/find", {"secret": f" {secret} "})

    if which in ("now", "before"):
        assert answer["location"] == f"/api-keys/{key.id}"
    else:
        assert answer.status_code == 200
    assert secret not in answer.content.decode() + str(answer.headers) + caplog.text


def test_the_page_of_a_key_tells_what_it_used(client: Client, people: Cast) -> None:
    key = key_of(people.acme)
    spent(key, "1.25")
    spent(key, "0.5", timezone.now() - 20 * DAY)
    spent(key_of(people.acme, "another"), "100")
    as_(client, people.ada)

    month, week = text_of(client, f"/api-keys/{key.id}"), text_of(client, f"/api-keys/{key.id}?range=7d")

    assert "Usage in the last 30 days" in month and 'title="$1.75">$1.75<' in month
    assert 'title="$1.25">$1.25<' in week
    assert month.count("View as table") == month.count('class="chart-plot"') == 2


def test_names_are_text(client: Client, people: Cast) -> None:
    name = '<img src=x onerror="alert(1)">' + "x" * 80
    evil = User.objects.get(pk=people.dev.pk)
    evil.name = name
    evil.save()
    key = key_of(people.acme, name, user=evil)
    spent(key, "1")
    ApiKeyUse.objects.update(user_agent=name, address="<b>")
    freshly(client, people.ada)
    for path in ("", f"/{key.id}", f"/{key.id}/edit", f"/{key.id}/rotate", f"/{key.id}/archive"):
        page = client.get(f"/api-keys{path}").content.decode()
        assert "&lt;img src=x" in page and "<img" not in page and "<b>" not in page


def test_the_palette_finds_keys_that_one_may_see(client: Client, people: Cast) -> None:
    key, hers = key_of(people.acme, "Robot"), key_of(people.acme, "Robot of all", workspace=None)
    as_(client, people.dev)
    for words in ("robo", key.id, key.hint[-4:]):
        page = text_of(client, f"/search?q={words}")
        assert f"/api-keys/{key.id}" in page and hers.id not in page
    assert key.id not in text_of(as_(client, people.uma), "/search?q=robo")
