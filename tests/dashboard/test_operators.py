"""Who operates the installation in the browser: operators, and nobody else gets in."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from admin_api.actions import memberships
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry
from tests.dashboard.operated import ROUTE_FORM, SETTINGS, model, page, provider, route
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import as_, freshly
from tests.people import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]  # circuits are read from Valkey

CHANGES = [
    ("/models/new", {"name": "x", **ROUTE_FORM, **route(0, "p"), **route(1, "")}),
    ("/models/edit/m", {**ROUTE_FORM, **route(0, "p"), **route(1, "")}),
    ("/models/price/m", {"input": "1", "output": "1", "batch_factor": "1"}),
    ("/models/remove/m", {"typed": "m"}),
    ("/models/published-prices", {"model": "m"}),
    ("/providers/new", {"name": "x", "dialect": "anthropic", "base_url": "http://10.0.0.2", **SETTINGS}),
    ("/providers/edit/p", {"dialect": "anthropic", "base_url": "http://10.0.0.2", **SETTINGS}),
    ("/providers/drain/p", {}),
    ("/providers/put-back/p", {}),
    ("/providers/remove/p", {"typed": "p"}),
    ("/providers/keys/add/p", {"key": "sk-1", "weight": "1"}),
    ("/providers/keys/1/remove/p", {}),
    ("/providers/test/p", {"model": "m"}),
    ("/organizations/new", {"name": "New", "tier": "pro"}),
    ("/organizations/{acme}/edit", {"name": "New", "tier": "pro"}),
    ("/organizations/{acme}/suspend", {"typed": "Acme"}),
    ("/organizations/{acme}/resume", {}),
    ("/organizations/{acme}/credit", {"amount": "5"}),
    ("/organizations/{acme}/prepaid", {"prepaid": "1"}),
    ("/tiers/new", {"name": "new"}),
    ("/tiers/of/pro", {"limit-requests_per_minute": "1"}),
    ("/tiers/remove/pro", {"typed": "pro"}),
    ("/operator-keys/new", {"name": "new"}),
    ("/operator-keys/x/revoke", {}),
]


@pytest.mark.parametrize(("address", "form"), CHANGES, ids=[address for address, _ in CHANGES])
def test_an_admin_of_an_organization_changes_nothing_of_the_installation(
    client: Client, people: Cast, address: str, form: dict[str, str]
) -> None:
    provider()
    model()
    before = AuditEntry.objects.count()

    answer = freshly(client, people.ada).post(address.format(acme=people.acme.id), form)

    assert (answer.status_code, AuditEntry.objects.count()) == (404, before)


def test_the_navigation_of_who_belongs_to_nobody_leads_somewhere(client: Client, people: Cast) -> None:
    html = as_(client, people.olga).get("/").content.decode()
    links = re.findall(r'href="(/[^"]*)" data-go', html)

    assert "You run this installation" in html
    assert {*links} == {
        "/models",
        "/audit-log",
        "/settings",
        "/organizations",
        "/tiers",
        "/operator-keys",
    }
    assert [client.get(link).status_code for link in links] == [200] * len(links)


def test_members_have_no_links_of_operators(client: Client, people: Cast) -> None:
    html = as_(client, people.ada).get("/models").content.decode()

    assert 'href="/models"' in html and 'href="/audit-log"' in html
    assert 'href="/tiers"' not in html and "Operator" not in text_of(html)


def test_an_operator_who_is_a_developer_somewhere_keeps_the_pages_of_operators(
    client: Client, people: Cast
) -> None:
    memberships.add(actor=SYSTEM, organization=people.acme, user=people.olga, role="user")
    as_(client, people.olga)

    assert [client.get(address).status_code for address in ("/models", "/audit-log", "/tiers")] == [200] * 3
    assert "Whole installation" not in page(client, "/audit-log")
