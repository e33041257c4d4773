from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, AuditEntry
from tests.people import Cast


def run(command: str, *words: str) -> list[str]:
    out = io.StringIO()
    call_command(command, *words, stdout=out)
    return out.getvalue().splitlines()


def make(people: Cast, name: str, kind: str = "api") -> ApiKey:
    key, _ = api_keys.create(actor=SYSTEM, organization=people.acme, name=name, kind=kind)
    return key


def test_keys_are_listed_with_their_hints_and_without_their_secrets(people: Cast) -> None:
    laptop, admin = make(people, "laptop"), make(people, "for Ada", "admin")
    assert run("list_api_keys", "--organization", "Acme") == [
        f"{admin.id}  admin  active    {admin.hint}  for Ada",
        f"{laptop.id}  api    active    {laptop.hint}  laptop",
    ]
    assert run("list_api_keys", "--organization", "Umbrella") == []


def test_a_revoked_key_is_archived_with_an_audit_line(people: Cast) -> None:
    key = make(people, "laptop")
    assert run("revoke_api_key", key.id) == [f"Revoked: {key.id} of Acme, {key.hint}, 'laptop'"]
    key.refresh_from_db()
    assert key.status == ApiKey.Status.ARCHIVED
    entry = AuditEntry.objects.latest("id")
    assert (entry.action, entry.target_id) == ("api_key.changed", key.id)
    assert entry.details == {"status": ["active", "archived"]}


def test_an_id_that_does_not_exist_is_told_where_to_look(people: Cast) -> None:
    with pytest.raises(CommandError) as refused:
        run("revoke_api_key", "apikey_nope")
    assert str(refused.value) == (
        "no key has the id 'apikey_nope'; `manage.py list_api_keys` lists an organization's keys"
    )
