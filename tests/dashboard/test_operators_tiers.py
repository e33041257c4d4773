"""Tiers: made, edited, and removed where nobody is on them."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from admin_api.actions import organizations, tiers
from admin_api.actor import SYSTEM
from gateway.models import Tier
from tests.dashboard.operated import page
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import freshly
from tests.people import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]  # circuits are read from Valkey


def test_a_tier_is_made_edited_and_removed(client: Client, people: Cast) -> None:
    freshly(client, people.olga)
    client.post("/tiers/new", {"name": "gold", "limit-requests_per_minute": "10"})
    made = client.post("/tiers/new", {"name": "gold", "limit-requests_per_minute": "10"})
    client.post(
        "/tiers/of/gold",
        {"limit-requests_per_minute": "20", "pool0-requests_per_minute": "none", "reserve_worst_case": "on"},
    )

    gold = Tier.objects.get(name="gold")
    assert "There is a tier of this name already." in text_of(made.content.decode())
    assert (gold.limits, gold.reserve_worst_case) == ({"requests_per_minute": 20}, True)
    assert gold.group_limits == {"default": {"requests_per_minute": None}}
    assert "20" in page(client, "/tiers")
    assert client.post("/tiers/remove/gold", {"typed": "gold"})["location"] == "/tiers"
    assert not Tier.objects.filter(name="gold").exists()


def test_a_tier_that_is_used_or_standard_stays(client: Client, people: Cast) -> None:
    used = tiers.upsert(actor=SYSTEM, name="used", limits={}).row
    organizations.set_tier(actor=SYSTEM, organization=people.acme, tier=used)
    freshly(client, people.olga)

    answers = [client.post(f"/tiers/remove/{name}", {"typed": name}) for name in ("used", "pro")]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "organizations are on it" in answers[0].content.decode()
    assert "Remove this tier?" not in client.get("/tiers/of/pro").content.decode()


def test_the_list_tells_each_kind_of_tokens_by_itself(client: Client, people: Cast) -> None:
    tiers.upsert(actor=SYSTEM, name="gold", limits={"tokens_per_minute": 300_000})
    tiers.upsert(actor=SYSTEM, name="silver", limits={"input_tokens_per_minute": 20_000})
    freshly(client, people.olga)

    text = page(client, "/tiers")

    assert re.search(r"gold no limit 300,000 no limit no limit no limit 0", text)
    assert re.search(r"silver no limit no limit 20,000 no limit no limit 0", text)
