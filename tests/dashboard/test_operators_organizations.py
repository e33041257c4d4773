"""Organizations as operators have them: made, found, what they may use, suspended, and their credit."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client

from admin_api.actions import organizations
from admin_api.actor import SYSTEM
from gateway.models import OperatorKey, Organization, Tier
from tests.dashboard.operated import model, page, provider
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]  # circuits are read from Valkey


def test_an_organization_is_made_with_its_first_admins_link(client: Client, people: Cast) -> None:
    as_(client, people.olga)
    form = {"name": "Globex", "tier": "basic", "admin_email": "hank@example.com"}

    html = client.post("/organizations/new", form).content.decode()

    (link,) = re.findall(r'<code id="invite-link">([^<]+)</code>', html)
    made = Organization.objects.get(name="Globex")
    assert link.startswith(f"{settings.CONFIGURATION.base_url}/invites/")
    assert (made.tier.name, made.invites.get().role) == ("basic", "admin")
    assert link not in client.get(f"/organizations/{made.id}").content.decode()
    again = client.post("/organizations/new", form)
    assert "An organization named" in text_of(again.content.decode())


@pytest.mark.parametrize(
    ("address", "form", "rows"),
    [
        ("/organizations/new", {"tier": "basic", "admin_email": "hank@example.com"}, Organization),
        ("/operator-keys/new", {}, OperatorKey),
    ],
    ids=["organization", "operator key"],
)
def test_a_form_that_is_sent_again_makes_nothing_more(
    client: Client, people: Cast, address: str, form: dict[str, str], rows: type[Organization | OperatorKey]
) -> None:
    freshly(client, people.olga)
    (word,) = re.findall(r'name="once" value="([^"]+)"', client.get(address).content.decode())
    before = rows.objects.count()

    answers = [client.post(address, {"name": "Globex", "once": word, **form}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 302]
    assert rows.objects.count() == before + 1


def test_organizations_are_found_by_name_tier_and_state_page_by_page(client: Client, people: Cast) -> None:
    basic = Tier.objects.get(name="basic")
    made = [organizations.create(actor=SYSTEM, name=f"Co {n}", tier=basic) for n in range(52)]
    organizations.suspend(actor=SYSTEM, organization=made[0])
    as_(client, people.olga)

    def names(query: str) -> list[str]:
        html = client.get(f"/organizations{query}").content.decode()
        return re.findall(r'row-link" href="/organizations/[^"]+">([^<]+)<', html)

    (older,) = re.findall(
        r'rel="next" href="([^"]+)"', client.get("/organizations?tier=basic").content.decode()
    )
    assert names("?tier=basic") + names(older.replace("&amp;", "&")) == [f"Co {n}" for n in range(51, -1, -1)]
    assert names("?q=acme") == ["Acme"]
    assert names("?state=suspended") == ["Co 0"]
    assert sorted(names("?tier=pro")) == ["Acme", "Umbrella"]


def test_limits_models_and_tier_of_an_organization_are_set_at_once(client: Client, people: Cast) -> None:
    provider()
    model()
    form = {
        "name": "Acme",
        "tier": "enterprise",
        "denied_models": "m",
        "limit-requests_per_minute": "1,000",
        "limit-tokens_per_minute": "none",
        "pool1-enqueued_batch_requests": "7",
    }
    as_(client, people.olga)

    answer = client.post(f"/organizations/{people.acme.id}/edit", form)

    people.acme.refresh_from_db()
    assert answer["location"] == f"/organizations/{people.acme.id}"
    assert people.acme.limits == {"requests_per_minute": 1000, "tokens_per_minute": None}
    assert people.acme.group_limits == {"batch": {"enqueued_batch_requests": 7}}
    assert (people.acme.tier.name, people.acme.denied_models) == ("enterprise", ["m"])
    html = client.get(f"/organizations/{people.acme.id}/edit").content.decode()
    assert re.findall(r'name="limit-(\w+)" value="(\w+)"', html) == [
        ("requests_per_minute", "1000"),
        ("tokens_per_minute", "none"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("limit-requests_per_minute", "0", "Expected a whole number from 1, or none."),
        ("limit-requests_per_minute", "many", "Expected a whole number from 1, or none."),
        ("denied_models", "no-such-model", "No model has the name or alias"),
        ("name", "Umbrella", "An organization named"),
    ],
)
def test_settings_that_cannot_be_are_refused_beside_their_field(
    client: Client, people: Cast, field: str, value: str, words: str
) -> None:
    form = {"name": "Acme", "tier": "pro", field: value}

    answer = as_(client, people.olga).post(f"/organizations/{people.acme.id}/edit", form)

    assert (answer.status_code, words in text_of(answer.content.decode())) == (400, True)


def test_an_organization_is_suspended_by_name_and_resumed(client: Client, people: Cast) -> None:
    address = f"/organizations/{people.acme.id}"
    asked = as_(client, people.olga).post(f"{address}/suspend", {"typed": "Acme"})
    freshly(client, people.olga)
    refused = client.post(f"{address}/suspend", {"typed": "Acm"})
    client.post(f"{address}/suspend", {"typed": "Acme"})
    people.acme.refresh_from_db()
    suspended = people.acme.suspended_at
    client.post(f"{address}/resume")
    people.acme.refresh_from_db()

    assert asked["location"].startswith("/reauthenticate")
    assert refused.status_code == 400
    assert suspended is not None
    assert people.acme.suspended_at is None


def test_credit_is_whole_cents_up_and_down(client: Client, people: Cast) -> None:
    address = f"/organizations/{people.acme.id}"
    as_(client, people.olga)
    for amount in ("12.34", "-2.34"):
        client.post(f"{address}/credit", {"amount": amount, "note": "Invoice 17"})
    wrong = [
        client.post(f"{address}/credit", {"amount": amount}).status_code for amount in ("0", "1.234", "x")
    ]
    client.post(f"{address}/prepaid", {"prepaid": "1"})

    text = page(client, address)

    assert wrong == [400, 400, 400]
    assert "$10.00 left" in text and "1,234" in text and "-234" in text and "prepaid since" in text
    client.post(f"{address}/prepaid", {"prepaid": "0"})
    assert "not prepaid" in page(client, address)
