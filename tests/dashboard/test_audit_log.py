"""The audit log in the browser: whose it is, what it says, how it is searched, exported and verified."""

from __future__ import annotations

import csv
import datetime
import io
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from admin_api import audit
from admin_api.actions import api_keys, memberships, models, organizations, providers
from admin_api.actor import SYSTEM, Actor
from admin_api.catalog import RouteTo
from dashboard.audit_log.files import AT_ONCE
from dashboard.audit_log.lines import changes_of, words_of
from gateway.models import AuditEntry, Organization
from tests.admin_api.test_audit_chain import behind_its_back, commit
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"


def text_of(page: str) -> str:
    """What a person reads in it, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]).split())


def shown(client: Client, address: str = "/audit-log") -> list[str]:
    """The words of the rows."""
    page = client.get(address).content.decode()
    return re.findall(r'row-link" href="/audit-log/\d+[^"]*">([^<]+)<', page)


def written(organization: Organization, number: int, **changes: object) -> list[AuditEntry]:
    for _ in range(number):
        audit.record(
            actor=SYSTEM,
            action="it.happened",
            target_type="it",
            target_id="1",
            organization_id=organization.id,
            details=changes,
        )
    commit()
    return list(AuditEntry.objects.filter(organization_id=organization.id).order_by("id"))


def test_an_admin_reads_what_was_done_in_their_organization_alone(client: Client, people: Cast) -> None:
    ada = Actor.user(people.ada)
    api_keys.create(actor=ada, organization=people.acme, name="Build server")
    api_keys.create(actor=SYSTEM, organization=people.umbrella, name="Theirs")
    models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")])

    page = as_(client, people.ada).get("/audit-log").content.decode()

    assert shown(client) == ["API key created", "Organization created"]
    assert "Ada" in text_of(page) and "Build server API key" in text_of(page)
    assert "Theirs" not in page and "Model created" not in page


def test_an_operator_reads_all_of_it(client: Client, people: Cast) -> None:
    models.upsert(actor=Actor.user(people.olga), name="m", routes=[RouteTo("simulator", "m")])

    page = text_of(as_(client, people.olga).get("/audit-log").content.decode())

    assert shown(client) == ["Model created", "Organization created", "Organization created"]
    assert "Olga m model" in page and "Umbrella" in page


def test_an_operator_with_an_organization_chooses_whose_log_it_is(client: Client, people: Cast) -> None:
    memberships.add(actor=SYSTEM, organization=people.acme, user=people.olga, role="admin")
    as_(client, people.olga)

    assert shown(client) == ["Membership added", "Organization created"]
    assert shown(client, "/audit-log?all=1") == ["Membership added", *["Organization created"] * 2]


def test_asking_for_all_is_of_no_use_to_an_admin(client: Client, people: Cast) -> None:
    assert shown(as_(client, people.mallory), "/audit-log?all=1") == ["Organization created"]


def test_an_entry_tells_before_and_after_and_from_where(client: Client, people: Cast) -> None:
    actor = Actor.user(people.ada, ip_address="192.0.2.7", request_id="req_1", user_agent=BROWSER)
    organizations.rename(actor=actor, organization=people.acme, name="Acme & Sons")
    commit()
    entry = AuditEntry.objects.latest("id")

    page = as_(client, people.ada).get(f"/audit-log/{entry.pk}").content.decode()

    assert "<del>Acme</del>" in page and "<ins>Acme &amp; Sons</ins>" in page
    for told in (people.ada.id, "192.0.2.7", "req_1", BROWSER, "organization.renamed", "Number 2"):
        assert told in text_of(page)


def test_a_foreign_entry_and_one_of_the_installation_are_not_there(client: Client, people: Cast) -> None:
    theirs = written(people.umbrella, 1)[-1]
    models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")])
    whole = AuditEntry.objects.latest("id")
    as_(client, people.ada)

    assert [client.get(f"/audit-log/{entry.pk}").status_code for entry in (theirs, whole)] == [404, 404]


def test_what_is_stored_is_text(client: Client, people: Cast) -> None:
    evil = "<script>alert(1)</script>"
    audit.record(
        actor=Actor.user(people.ada, user_agent=evil),
        action=evil[:64],
        target_type="it",
        target_id=evil,
        organization_id=people.acme.id,
        details={evil: [evil, evil], "old": {evil: 1}, "new": {evil: 2}},
    )
    entry = AuditEntry.objects.latest("id")
    as_(client, people.ada)

    for address in ("/audit-log", f"/audit-log/{entry.pk}", f"/audit-log?actor={evil}&action={evil}"):
        assert "<script>alert" not in client.get(address).content.decode()


SEARCHES = {
    "actor=ada": ["API key created"],
    "actor=ADA@example.com": ["API key created"],
    "actor=user": ["API key created"],
    "actor=system": ["Membership removed", "Organization created"],
    "actor=mallory": [],
    "action=api_key": ["API key created"],
    "action=api_key.created": ["API key created"],
    "action=api": [],
    "target=build": ["API key created"],
    "target=user": ["Membership removed"],
    "target=organization&actor=system": ["Organization created"],
    "since=2020-01-01&until=2020-01-02": [],
    "since=2020-01-01": ["Membership removed", "API key created", "Organization created"],
    "since=nonsense": ["Membership removed", "API key created", "Organization created"],
    "actor=a%00b": ["Membership removed", "API key created", "Organization created"],
}


@pytest.mark.parametrize("query", SEARCHES)
def test_the_log_is_searched_by_who_what_whom_and_when(client: Client, people: Cast, query: str) -> None:
    api_keys.create(actor=Actor.user(people.ada), organization=people.acme, name="Build server")
    memberships.remove(actor=SYSTEM, membership=people.uma.memberships.get())

    assert shown(as_(client, people.ada), f"/audit-log?{query}") == SEARCHES[query]


def test_the_last_day_of_a_search_counts_whole(client: Client, people: Cast) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    as_(client, people.ada)

    assert shown(client, f"/audit-log?until={today}") == ["Organization created"]
    assert shown(client, f"/audit-log?until={today - datetime.timedelta(days=1)}") == []


def test_pages_follow_each_other_without_a_gap_and_keep_the_filters(client: Client, people: Cast) -> None:
    written(people.acme, 60)
    as_(client, people.ada)

    first = client.get("/audit-log?action=it").content.decode()
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get(f"/audit-log{older.replace('&amp;', '&')}").content.decode()

    ids = [re.findall(r'href="/audit-log/(\d+)"', page) for page in (first, second)]
    assert (len(ids[0]), len(ids[1])) == (50, 10)
    assert sorted({*ids[0], *ids[1]}, key=int, reverse=True) == [*ids[0], *ids[1]]
    assert 'href="?action=it">Newest' in second


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "1%00"])
def test_a_place_that_is_none_leads_to_the_beginning(client: Client, people: Cast, after: str) -> None:
    assert as_(client, people.ada).get(f"/audit-log?after={after}").status_code == 302


def test_a_longer_log_costs_no_more_queries(client: Client, people: Cast) -> None:
    as_(client, people.ada).get("/audit-log")
    numbers = []
    for count in (1, 30):
        written(people.acme, count)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/audit-log")
        numbers.append(len(queries))

    assert numbers[0] == numbers[1]
    assert sum("audit_entry" in query["sql"] for query in queries) == 1


def test_a_pill_counts_what_came_since(client: Client, people: Cast) -> None:
    newest = written(people.acme, 1)[-1].pk
    as_(client, people.ada)
    pills = [pill(client, newest)]
    for _ in range(2):
        written(people.acme, 1)
        written(people.umbrella, 3)
        pills.append(pill(client, newest))

    assert pills == ["", "1 new entry: show", "2 new entries: show"]


def pill(client: Client, newest: int) -> str:
    answer = client.get(f"/audit-log/new?since_id={newest}", headers={"HX-Request": "true"})
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def rows_of(client: Client, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_holds_what_the_filters_leave_with_its_hashes(client: Client, people: Cast) -> None:
    actor = Actor.user(people.ada, ip_address="192.0.2.7", request_id="req_1", user_agent=BROWSER)
    api_keys.create(actor=actor, organization=people.acme, name="=1+1")
    commit()

    (row,) = rows_of(as_(client, people.ada), "/audit-log.csv?action=api_key")

    assert (row["actor"], row["action"], row["ip_address"], row["user_agent"]) == (
        "Ada",
        "api_key.created",
        "192.0.2.7",
        BROWSER,
    )
    assert row["target"] == "'=1+1"
    assert re.fullmatch("[0-9a-f]{64}", row["hash"])
    assert row["at"].endswith("Z")


def test_a_long_file_is_whole(client: Client, people: Cast) -> None:
    number = len(written(people.acme, 2 * AT_ONCE + 1))

    ids = [int(row["id"]) for row in rows_of(as_(client, people.ada), "/audit-log.csv")]

    assert len(ids) == number
    assert ids == sorted(ids, reverse=True)


def test_verify_says_since_when_the_log_is_whole(client: Client, people: Cast) -> None:
    number = len(written(people.acme, 3))

    page = text_of(as_(client, people.ada).get("/audit-log/verify").content.decode())

    assert f"The audit log is whole. {number} entries read, unbroken since" in page


def test_verify_says_where_the_log_was_broken(client: Client, people: Cast) -> None:
    *_, changed, _ = written(people.acme, 3)
    behind_its_back("UPDATE audit_entry SET action = 'x.y' WHERE id = %s", changed.pk)

    for who in (people.ada, people.olga):
        page = text_of(as_(client, who).get("/audit-log/verify").content.decode())
        assert "The audit log is broken." in page
        assert f"{changed.pk} " in page and "this entry was changed after it was written" in page


def test_a_broken_log_of_another_organization_is_not_told(client: Client, people: Cast) -> None:
    behind_its_back("DELETE FROM audit_entry WHERE id = %s", written(people.umbrella, 2)[-1].pk)
    written(people.acme, 1)

    page = text_of(as_(client, people.ada).get("/audit-log/verify").content.decode())

    assert "The audit log is whole." in page


CHANGES = {
    "provider.changed": (
        {"base_url": ["http://a", "http://b"], "api_keys": ["none", "(secret)"]},
        ["base url: http://a → http://b", "api keys: (secret)"],
    ),
    "model.aliases_released": ({"aliases": ["a", "b"]}, ["aliases: a, b"]),
    "organization.limits_set": (
        {"old": {"requests_per_minute": 5, "same": 1}, "new": {"tokens_per_minute": None, "same": 1}},
        ["requests per minute: 5 → none"],
    ),
    "membership.role_set": ({"old": "user", "new": "admin"}, ["user → admin"]),
    "spend_limit_increase_request.created": (
        {"period": "monthly", "new": "pending"},
        ["period: monthly", "pending"],
    ),
    "spend_limit.set": ({"old": None, "new": "123450"}, ["$1,234.50"]),
    "spend_limit.removed": ({"old": "5"}, ["old: $0.05"]),
}


@pytest.mark.parametrize("action", CHANGES)
def test_details_are_told_as_changes(action: str) -> None:
    details, words = CHANGES[action]

    assert [change.brief for change in changes_of(action, details)] == words


def test_an_action_is_told_in_words() -> None:
    assert words_of("api_key.secret_replaced") == "API key secret replaced"
    assert words_of("workspace_member.role_set") == "Workspace member role set"


def test_no_secret_of_a_provider_is_in_the_log(client: Client, people: Cast) -> None:
    secret = "sk-of-the-provider-0123456789"
    as_(client, people.olga).post(
        "/providers/new",
        {"name": "p", "dialect": "openai", "base_url": "http://10.0.0.1/v1", "key": secret}
        | {"on_disconnect": "abort", "batches": "emulated"},
    )
    client.post("/providers/keys/add/p", {"key": f"{secret}-two", "weight": "5"})
    entries = list(AuditEntry.objects.filter(target_type="provider"))

    assert [entry.action for entry in entries] == ["provider.created", "provider.changed"]
    assert all(entry.user_agent == "" and secret[:12] not in str(vars(entry)) for entry in entries)
    assert providers.Provider.objects.get(name="p").keys.count() == 2
