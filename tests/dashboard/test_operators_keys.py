"""Operator keys, made and revoked in the browser."""

from __future__ import annotations

import datetime
import re

import pytest
from django.test import Client
from django.utils import timezone

from gateway.models import OperatorKey
from tests.dashboard.operated import last_action, page
from tests.dashboard.test_audit_log import text_of
from tests.dashboard.test_pages import freshly
from tests.people import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]  # circuits are read from Valkey


def test_an_operator_key_is_shown_once_and_revoked(client: Client, people: Cast) -> None:
    freshly(client, people.olga)
    day = timezone.now().date() + datetime.timedelta(days=1)

    html = client.post("/operator-keys/new", {"name": "Terraform", "expires_on": str(day)}).content.decode()

    (secret,) = re.findall(r'<code id="secret">([^<]+)</code>', html)
    key = OperatorKey.objects.get()
    assert key.expires_at is not None and key.expires_at.date() == day + datetime.timedelta(days=1)
    assert secret not in client.get("/operator-keys").content.decode()
    past = client.post("/operator-keys/new", {"name": "x", "expires_on": "2020-01-01"})
    assert "Expected a time in the future" in text_of(past.content.decode())
    client.post(f"/operator-keys/{key.id}/revoke")
    assert "Revoked" in page(client, "/operator-keys")
    assert last_action() == ("operator_key.revoked", people.olga.id)
