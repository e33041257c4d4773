"""Settings: what people choose for themselves, and what admins set for their organization."""

from __future__ import annotations

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from admin_api.actions import house_rules, invites, webhook_endpoints
from admin_api.actor import SYSTEM
from gateway.errors import InvalidRequest
from gateway.models import AuditEntry, Organization, User, WebhookDelivery, WebhookEndpoint
from tests.dashboard.test_pages import as_, freshly
from tests.dashboard.test_second_factors import with_app
from tests.dashboard.test_sessions import grow_older, signed_in
from tests.people import Cast

pytestmark = pytest.mark.django_db
RULES = {"name": "Acme", "invite_domains": "", "dashboard_ips": "", "session_hours": ""}
HOOK = "https://1.1.1.1/hook"


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Failures are counted in Valkey."""


def set_rules(client: Client, **rules: str) -> object:
    return client.post("/settings/organization", {**RULES, **rules})


def test_everybody_has_a_name_and_a_time_zone(client: Client, people: Cast) -> None:
    as_(client, people.uma)
    page = client.get("/settings").content.decode()
    assert page.count("<h1") == 1 and '<h1 class="page-title">Settings</h1>' in page
    assert client.post("/settings", {"name": " Uma T. "})["location"] == "/settings"
    assert User.objects.get(pk=people.uma.pk).name == "Uma T."
    assert client.post("/settings", {"name": "U" * 201}).status_code == 400
    client.post("/time-zone", {"time_zone": "Asia/Kolkata", "next": "/settings"})
    assert '<option value="Asia/Kolkata" selected>' in client.get("/settings").content.decode()
    assert "Times are in Asia/Kolkata." in client.get("/settings/security").content.decode()


def test_only_admins_see_the_parts_of_the_organization(client: Client, people: Cast) -> None:
    for who in (people.dev, people.bill, people.uma):
        as_(client, who)
        assert "/settings/organization" not in client.get("/settings").content.decode()
        freshly(client, who)
        assert set_rules(client, session_hours="1").status_code == 403
        assert client.post("/settings/webhooks/new", {"url": HOOK}).status_code == 403
    assert Organization.objects.get(pk=people.acme.pk).session_hours is None


def test_an_admin_sets_name_and_rules_with_an_audit_line_for_each(client: Client, people: Cast) -> None:
    freshly(client, people.ada)
    answer = set_rules(
        client,
        name="Acme Inc.",
        invite_domains="Example.com\n@acme.example",
        dashboard_ips="127.0.0.1, 10.0.0.0/8",
        session_hours="8",
    )
    assert answer["location"] == "/settings/organization"
    acme = Organization.objects.get(pk=people.acme.pk)
    assert (acme.name, acme.session_hours) == ("Acme Inc.", 8)
    assert (acme.invite_domains, acme.dashboard_ips) == (
        ["example.com", "acme.example"],
        ["127.0.0.1/32", "10.0.0.0/8"],
    )
    lines = AuditEntry.objects.filter(organization_id=acme.id, actor_id=people.ada.id)
    assert set(lines.values_list("action", flat=True)) == {
        "organization.renamed",
        "organization.house_rules_changed",
    }


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"require_second_factor": "on"}, "Set up a second factor for yourself first"),
        ({"dashboard_ips": "10.0.0.0/8"}, "Your own address, 127.0.0.1, is not among them"),
        ({"dashboard_ips": "10.0.0.1/8"}, "has host bits set"),
        ({"invite_domains": "not a domain"}, "is not a domain such as example.com"),
        ({"session_hours": "169"}, "less than or equal to 168"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_rules_that_cannot_be_are_refused_and_nothing_is_changed(
    client: Client, people: Cast, rules: dict[str, str], words: str
) -> None:
    freshly(client, people.ada)
    refused = set_rules(client, **{"name": "Other", **rules})
    assert (refused.status_code, words in refused.content.decode()) == (400, True)
    assert Organization.objects.get(pk=people.acme.pk).name == "Acme"


def test_rules_are_changed_only_soon_after_a_sign_in(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    away = client.post(
        "/settings/organization", {**RULES, "session_hours": "1", "next": "/settings/organization"}
    )
    assert away["location"] == "/reauthenticate?next=%2Fsettings%2Forganization"
    assert Organization.objects.get(pk=people.acme.pk).session_hours is None


def test_from_other_networks_nothing_of_the_organization_opens(client: Client, people: Cast) -> None:
    Organization.objects.filter(pk=people.acme.pk).update(dashboard_ips=["10.0.0.0/8"])
    as_(client, people.ada)
    refused = client.get("/")
    assert (refused.status_code, "cannot be reached from your network" in refused.content.decode()) == (
        403,
        True,
    )
    assert client.get("/", REMOTE_ADDR="10.1.2.3").status_code == 200
    api = client.get("/v1/organizations/me", headers={"anthropic-version": "2023-06-01"})
    assert api.status_code == 403


def test_a_session_older_than_the_organization_allows_signs_in_again(people: Cast) -> None:
    Organization.objects.filter(pk=people.acme.pk).update(session_hours=2)
    ada = signed_in()
    assert ada.get("/").status_code == 200
    grow_older(ada, hours=2)
    assert ada.get("/quickstart")["location"] == "/login?next=%2Fquickstart"
    assert ada.get("/settings").status_code == 302


def test_only_addresses_of_these_domains_are_invited(people: Cast) -> None:
    Organization.objects.filter(pk=people.acme.pk).update(invite_domains=["example.com"])
    invites.create(actor=SYSTEM, organization=people.acme, email="new@EXAMPLE.com", role="user")
    for email in ("new@evil.example", "new@example.com.evil.example", "new@sub.example.com"):
        with pytest.raises(InvalidRequest, match=r"^email: Acme invites only people at example\.com$"):
            invites.create(actor=SYSTEM, organization=people.acme, email=email, role="user")


def test_a_second_factor_is_asked_of_all_by_who_has_one(client: Client, people: Cast) -> None:
    with_app(people.ada)
    freshly(client, people.ada)
    assert set_rules(client, require_second_factor="on").status_code == 302
    assert Organization.objects.get(pk=people.acme.pk).require_second_factor is True
    assert client.get("/").status_code == 200
    assert as_(Client(), people.bill).get("/")["location"] == "/settings/second-factor"
    assert as_(Client(), people.mallory).get("/").status_code == 200


def test_nothing_is_written_where_nothing_changes(people: Cast) -> None:
    before = AuditEntry.objects.count()
    house_rules.update(
        actor=SYSTEM,
        organization=people.acme,
        admin=people.ada,
        require_second_factor=False,
        session_hours=None,
    )
    assert AuditEntry.objects.count() == before


def test_an_endpoint_is_made_and_its_secret_shown_once(client: Client, people: Cast) -> None:
    freshly(client, people.ada)
    made = client.post(
        "/settings/webhooks/new",
        {"url": HOOK, "name": "Pager", "enabled_events": ["credit.threshold_reached"]},
    ).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.organization, endpoint.url, endpoint.enabled_events) == (
        people.acme,
        HOOK,
        ["credit.threshold_reached"],
    )
    assert made.count("whsec_") == 1
    for path in ("/settings/webhooks", f"/settings/webhooks/{endpoint.id}"):
        page = client.get(path).content.decode()
        assert "Pager" in page and "whsec_" not in page
    assert "whsec_" in client.post(f"/settings/webhooks/{endpoint.id}/secret").content.decode()


@pytest.mark.parametrize("url", ["http://1.1.1.1/", "https://10.0.0.1/", "https://localhost/", "nothing"])
def test_addresses_that_events_may_not_go_to_are_refused(client: Client, people: Cast, url: str) -> None:
    freshly(client, people.ada)
    refused = client.post(
        "/settings/webhooks/new", {"url": url, "enabled_events": ["credit.threshold_reached"]}
    )
    assert (refused.status_code, WebhookEndpoint.objects.count()) == (400, 0)
    assert "Expected an" in refused.content.decode()


def endpoint_of(organization: Organization) -> WebhookEndpoint:
    return webhook_endpoints.create(
        actor=SYSTEM, organization=organization, url=HOOK, enabled_events=["credit.threshold_reached"]
    )[0]


def test_a_test_event_is_on_its_way_to_one_endpoint(client: Client, people: Cast) -> None:
    endpoint, _ = endpoint_of(people.acme), endpoint_of(people.acme)
    as_(client, people.ada)
    page = client.post(f"/settings/webhooks/{endpoint.id}/test", follow=True).content.decode()
    delivery = WebhookDelivery.objects.get()
    assert (delivery.endpoint, delivery.event.data["type"]) == (endpoint, "webhook_endpoint.test")
    assert "webhook_endpoint.test" in page and "Waiting" in page


def test_nothing_is_sent_to_an_endpoint_that_is_disabled(client: Client, people: Cast) -> None:
    endpoint = endpoint_of(people.acme)
    webhook_endpoints.update(actor=SYSTEM, endpoint=endpoint, state="disabled")
    as_(client, people.ada)
    page = client.post(f"/settings/webhooks/{endpoint.id}/test", follow=True).content.decode()
    assert "nothing is sent there" in page and not WebhookDelivery.objects.exists()


def test_an_endpoint_is_deleted_after_a_question(client: Client, people: Cast) -> None:
    endpoint = endpoint_of(people.acme)
    freshly(client, people.ada)
    assert "Nothing more is sent" in client.get(f"/settings/webhooks/{endpoint.id}/delete").content.decode()
    assert WebhookEndpoint.objects.count() == 1
    client.post(f"/settings/webhooks/{endpoint.id}/delete")
    assert WebhookEndpoint.objects.count() == 0


def test_endpoints_of_another_organization_are_not_there(client: Client, people: Cast) -> None:
    endpoint = endpoint_of(people.umbrella)
    freshly(client, people.ada)
    for part in ("", "/secret", "/delete"):
        assert client.get(f"/settings/webhooks/{endpoint.id}{part}").status_code == 404
    for part in ("/test", "/secret", "/delete"):
        assert client.post(f"/settings/webhooks/{endpoint.id}{part}").status_code == 404
    assert WebhookEndpoint.objects.get().pk == endpoint.pk


def test_the_list_of_endpoints_takes_one_query(
    client: Client, people: Cast, django_assert_num_queries
) -> None:  # type: ignore[no-untyped-def]
    as_(client, people.ada)
    client.get("/settings/webhooks")
    with django_assert_num_queries(queries_without_rows := 5):
        client.get("/settings/webhooks")
    for _ in range(3):
        endpoint_of(people.acme)
    with django_assert_num_queries(queries_without_rows):
        client.get("/settings/webhooks")


def test_looking_changes_nothing(client: Client, people: Cast) -> None:
    endpoint = endpoint_of(people.acme)
    with_app(people.ada)
    freshly(client, people.ada)
    client.get("/settings")
    paths = (
        "/settings",
        "/settings/security",
        "/settings/password",
        "/settings/passkeys",
        "/settings/recovery-codes",
        "/settings/organization",
        "/settings/webhooks",
        "/settings/webhooks/new",
        "/reauthenticate",
        "/forgotten",
    )
    parts = ("", "/secret", "/delete")
    with CaptureQueriesContext(connection) as asked:
        statuses = {client.get(path).status_code for path in paths}
        statuses |= {client.get(f"/settings/webhooks/{endpoint.id}{part}").status_code for part in parts}
        freshly_open = client.get("/settings/second-factors/0").status_code
    assert (statuses, freshly_open) == ({200}, 404)
    assert [one["sql"] for one in asked if not one["sql"].startswith("SELECT")] == []
