"""`manage.py sso`: an operator's word for a domain, and the way in when a provider is away."""

from __future__ import annotations

import pytest
from django.core.management import CommandError

from admin_api.actions import sso_connections
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, Organization, SsoConnection
from tests.commands.test_links import run
from tests.people import Cast


def test_an_operator_allows_a_domain_and_takes_it_back(people: Cast) -> None:
    assert run("sso", "--organization", "Acme", "--allow-domain", "Acme.Example") == [
        "Acme.Example: allowed for Acme"
    ]
    assert Organization.objects.get(pk=people.acme.pk).sso_domains == ["acme.example"]
    run("sso", "--organization", "Acme", "--withdraw-domain", "acme.example")
    assert Organization.objects.get(pk=people.acme.pk).sso_domains == []
    with pytest.raises(CommandError, match=r"anybody can have an address at gmail\.com"):
        run("sso", "--organization", "Acme", "--allow-domain", "gmail.com")


def test_members_are_let_in_again_when_their_provider_is_away(people: Cast) -> None:
    run("sso", "--organization", "Acme", "--allow-domain", "acme.example")
    made = sso_connections.create(
        actor=SYSTEM,
        organization=people.acme,
        provider=sso_connections.Oidc("https://1.1.1.1", "gateway", "a secret"),
        domains=["acme.example"],
        role="user",
    )
    SsoConnection.objects.filter(pk=made.pk).update(state="on")
    sso_connections.require(actor=SYSTEM, connection=made, break_glass=[people.ada.id])
    assert run("sso", "--organization", "Acme", "--stop-requiring") == [
        "Acme: members may use their passwords"
    ]
    assert not Organization.objects.get(pk=people.acme.pk).require_sso
    assert run("sso", "--organization", "Acme", "--turn-off") == ["Acme: single sign-on is off"]
    assert SsoConnection.objects.get().state == "tested"
    assert AuditEntry.objects.filter(action="sso.turned_off", actor_type="system").count() == 1


def test_an_organization_without_a_provider_is_one_clear_line(people: Cast) -> None:
    with pytest.raises(CommandError) as refused:
        run("sso", "--organization", "Acme", "--turn-off")
    assert str(refused.value) == "Acme has no identity provider."
