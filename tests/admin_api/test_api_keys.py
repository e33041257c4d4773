from __future__ import annotations

import datetime

import pytest
from django.utils import timezone

from admin_api.actions import api_keys, workspaces
from admin_api.actor import SYSTEM, Actor
from gateway import credentials
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, AuditEntry
from tests.people import Cast


def test_a_new_key_is_stored_only_as_digest_and_hint(people: Cast) -> None:
    key, secret = api_keys.create(actor=SYSTEM, organization=people.acme, name="CI")

    stored = str(ApiKey.objects.values().get(pk=key.pk))
    assert credentials.kind_of(secret) == "api"
    assert secret not in stored
    assert secret[12:40] not in stored
    assert key.hint == credentials.hint(secret)


def test_an_admin_key_has_its_own_prefix_and_no_workspace(people: Cast) -> None:
    default = people.acme.workspaces.get()

    _, secret = api_keys.create(actor=SYSTEM, organization=people.acme, name="Terraform", kind="admin")

    assert credentials.kind_of(secret) == "admin"
    with pytest.raises(InvalidRequest, match=r"^workspace: an Admin key belongs to the whole organization$"):
        api_keys.create(actor=SYSTEM, organization=people.acme, name="x", kind="admin", workspace=default)


def test_a_key_cannot_be_made_in_a_foreign_or_archived_workspace(people: Cast) -> None:
    foreign = people.umbrella.workspaces.get()
    archived = workspaces.create(actor=SYSTEM, organization=people.acme, name="Old")
    archived.archived_at = timezone.now()
    archived.save()

    with pytest.raises(InvalidRequest, match=r"^workspace: not a workspace of this organization$"):
        api_keys.create(actor=SYSTEM, organization=people.acme, name="x", workspace=foreign)
    with pytest.raises(InvalidRequest, match=r"^workspace: 'Old' is archived$"):
        api_keys.create(actor=SYSTEM, organization=people.acme, name="x", workspace=archived)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": " "}, "name: expected 1 to 500 characters"),
        ({"name": "n" * 501}, "name: expected 1 to 500 characters"),
        (
            {"expires_at": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)},
            "expires_at: expected a time in the future",
        ),
        (
            {"limits": {"concurrent_requests": 0}},
            "limits.concurrent_requests: expected a whole number from 1 to 1000000000000",
        ),
        (
            {"limits": {"concurrent_requests": None}},
            "limits.concurrent_requests: expected a whole number from 1 to 1000000000000",
        ),
    ],
)
def test_a_wrong_value_is_named(people: Cast, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        api_keys.create(**{"actor": SYSTEM, "organization": people.acme, "name": "CI", **arguments})

    assert refused.value.message == message


def test_an_archived_key_stays_archived(people: Cast) -> None:
    key, _ = api_keys.create(actor=SYSTEM, organization=people.acme, name="CI")
    api_keys.update(actor=SYSTEM, key=key, status="inactive")
    api_keys.update(actor=SYSTEM, key=key, status="active")
    api_keys.update(actor=SYSTEM, key=key, status="archived")

    with pytest.raises(InvalidRequest, match=r"^status: an archived key cannot be brought back or changed$"):
        api_keys.update(actor=SYSTEM, key=key, status="active")

    assert ApiKey.objects.get(pk=key.pk).status == "archived"


def test_every_action_on_a_key_leaves_one_audit_line_without_the_secret(people: Cast) -> None:
    ada = Actor.user(people.ada, ip_address="192.0.2.7", request_id="req_1")
    before = AuditEntry.objects.count()

    key, secret = api_keys.create(actor=ada, organization=people.acme, name="CI", created_by=people.ada)
    api_keys.update(actor=ada, key=key, status="archived")
    api_keys.update(actor=ada, key=key, status="archived")  # changes nothing

    entries = list(AuditEntry.objects.order_by("id")[before:])
    assert [(entry.action, entry.target_id, entry.details) for entry in entries] == [
        ("api_key.created", key.id, {"name": "CI", "kind": "api", "workspace_id": None}),
        ("api_key.changed", key.id, {"status": ["active", "archived"]}),
    ]
    assert {(entry.actor_type, entry.actor_id, entry.ip_address, entry.request_id) for entry in entries} == {
        ("user", people.ada.id, "192.0.2.7", "req_1")
    }
    assert {entry.organization_id for entry in entries} == {people.acme.id}
    assert secret not in str([entry.__dict__ for entry in entries])
