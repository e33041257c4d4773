"""What becomes of the keys of somebody who is removed."""

from __future__ import annotations

import pytest

from admin_api.actions import api_keys, memberships, service_accounts
from admin_api.actor import SYSTEM
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, AuditEntry, Membership
from tests.people import Cast

pytestmark = pytest.mark.django_db


def keys_of_dev(people: Cast) -> tuple[ApiKey, ApiKey, ApiKey]:
    """One in use, one archived, and one that Dev made for nobody in particular."""
    used, ended = (
        api_keys.create(actor=SYSTEM, organization=people.acme, name=name, user=people.dev)[0]
        for name in ("used", "ended")
    )
    api_keys.update(actor=SYSTEM, key=ended, status="archived")
    made = api_keys.create(actor=SYSTEM, organization=people.acme, name="made", created_by=people.dev)[0]
    return used, ended, made


def dev(people: Cast) -> Membership:
    return people.dev.memberships.get()


def test_keys_are_handed_over_to_another_member(people: Cast) -> None:
    used, ended, made = keys_of_dev(people)

    memberships.remove(actor=SYSTEM, membership=dev(people), keys_to=people.uma.memberships.get())

    rows = ApiKey.objects.in_bulk([used.pk, ended.pk, made.pk])
    assert [(rows[key.pk].user, rows[key.pk].status) for key in (used, ended, made)] == [
        (people.uma, "active"),
        (people.dev, "archived"),
        (None, "active"),
    ]
    details = AuditEntry.objects.get(action="membership.removed").details
    assert details == {"role": "developer", "handed_over_api_keys": [used.pk], "to": people.uma.id}


def test_keys_are_handed_over_to_a_service_account(people: Cast) -> None:
    used, _, _ = keys_of_dev(people)
    deploy = service_accounts.create(actor=SYSTEM, organization=people.acme, name="deploy")

    memberships.remove(actor=SYSTEM, membership=dev(people), keys_to=deploy)

    used.refresh_from_db()
    assert (used.user, used.service_account, used.status) == (None, deploy, "active")


def test_only_who_is_of_the_organization_gets_keys(people: Cast) -> None:
    used, _, _ = keys_of_dev(people)
    archived = service_accounts.create(actor=SYSTEM, organization=people.acme, name="gone")
    service_accounts.archive(actor=SYSTEM, service_account=archived)
    foreign = service_accounts.create(actor=SYSTEM, organization=people.umbrella, name="deploy")

    for heir in (archived, foreign, people.mallory.memberships.get(), dev(people)):
        with pytest.raises(InvalidRequest, match="keys_to: "):
            memberships.remove(actor=SYSTEM, membership=dev(people), keys_to=heir)

    used.refresh_from_db()
    assert (used.user, used.status) == (people.dev, "active")
