"""Batches end with the last key that could read them."""

from __future__ import annotations

import datetime

import pytest
from django.utils import timezone

from admin_api.actions import (
    api_keys,
    memberships,
    organizations,
    playground_keys,
    service_accounts,
    workspaces,
)
from admin_api.actor import SYSTEM
from gateway.batches.cancellation import cancel_unattended
from gateway.models import ApiKey, AuditEntry, MessageBatch, Organization, Workspace
from tests.batches.rows import batch_of
from tests.people import Cast


def key(organization: Organization, workspace: Workspace | None = None, **fields: object) -> ApiKey:
    return api_keys.create(actor=SYSTEM, organization=organization, workspace=workspace, name="k", **fields)[
        0
    ]  # type: ignore[arg-type]


@pytest.fixture
def lab(people: Cast) -> Workspace:
    ApiKey.objects.all().delete()
    return workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")


def status(batch: MessageBatch) -> str:
    batch.refresh_from_db()
    return batch.status


def details(action: str) -> dict[str, object]:
    return dict(AuditEntry.objects.filter(action=action).latest("at").details)


def test_archiving_a_workspace_cancels_its_batches_and_no_others(people: Cast, lab: Workspace) -> None:
    key(people.acme)
    key(people.umbrella)
    ours, others, theirs = batch_of(people.acme, lab), batch_of(people.acme), batch_of(people.umbrella)

    workspaces.archive(actor=SYSTEM, workspace=lab)

    assert [status(batch) for batch in (ours, others, theirs)] == ["canceling", "in_progress", "in_progress"]
    assert ours.cancel_initiated_at is not None
    assert details("workspace.archived")["canceled_batches"] == 1


@pytest.mark.parametrize("end", ["inactive", "archived"])
def test_revoking_the_last_key_of_a_workspace_cancels_its_batches(
    people: Cast, lab: Workspace, end: str
) -> None:
    first, last = key(people.acme, lab), key(people.acme, lab)
    batch = batch_of(people.acme, lab)

    api_keys.update(actor=SYSTEM, key=first, status=end)
    assert status(batch) == "in_progress"
    assert "canceled_batches" not in details("api_key.changed")
    api_keys.update(actor=SYSTEM, key=last, status=end)

    assert status(batch) == "canceling"
    assert details("api_key.changed")["canceled_batches"] == 1


def test_a_key_of_the_whole_organization_is_one_of_every_workspace(people: Cast, lab: Workspace) -> None:
    own, general = key(people.acme, lab), key(people.acme)
    batch = batch_of(people.acme, lab)

    api_keys.update(actor=SYSTEM, key=own, status="archived")
    assert status(batch) == "in_progress"
    api_keys.update(actor=SYSTEM, key=general, status="archived")

    assert status(batch) == "canceling"


def test_an_admin_key_reads_no_batches(people: Cast, lab: Workspace) -> None:
    own = key(people.acme, lab)
    key(people.acme, kind="admin")
    batch = batch_of(people.acme, lab)

    api_keys.update(actor=SYSTEM, key=own, status="archived")

    assert status(batch) == "canceling"


def test_keys_end_with_whom_they_act_for(people: Cast, lab: Workspace) -> None:
    account = service_accounts.create(actor=SYSTEM, organization=people.acme, name="ci")
    key(people.acme, lab, service_account=account)
    batch = batch_of(people.acme, lab)
    service_accounts.archive(actor=SYSTEM, service_account=account)
    assert status(batch) == "canceling"
    assert details("service_account.archived")["canceled_batches"] == 1

    key(people.acme, lab, user=people.dev)
    batch = batch_of(people.acme, lab)
    memberships.remove(actor=SYSTEM, membership=people.acme.memberships.get(user=people.dev))
    assert status(batch) == "canceling"
    assert details("membership.removed")["canceled_batches"] == 1


def test_a_key_that_expires_is_found_later(people: Cast, lab: Workspace) -> None:
    soon = timezone.now() + datetime.timedelta(hours=1)
    own = key(people.acme, lab, expires_at=soon)
    batch = batch_of(people.acme, lab)

    assert cancel_unattended() == 0
    ApiKey.objects.filter(pk=own.pk).update(expires_at=timezone.now())

    assert (cancel_unattended(), status(batch)) == (1, "canceling")


def test_what_was_started_in_the_browser_needs_no_key_to_be_read(people: Cast, lab: Workspace) -> None:
    member = people.acme.memberships.get(user=people.ada)
    own = playground_keys.take(actor=SYSTEM, member=member, workspace=lab)
    batch, other = (
        batch_of(people.acme, lab, api_key_id=own.id),
        batch_of(people.acme, lab, api_key_id="gone"),
    )

    assert (cancel_unattended(), status(batch), status(other)) == (1, "in_progress", "canceling")
    ApiKey.objects.filter(pk=own.pk).update(status="archived")

    assert (cancel_unattended(), status(batch)) == (1, "canceling")


def test_a_suspended_organizations_batches_wait(people: Cast, lab: Workspace) -> None:
    key(people.acme, lab)
    batch = batch_of(people.acme, lab)

    organizations.suspend(actor=SYSTEM, organization=people.acme)

    assert (cancel_unattended(), status(batch)) == (0, "in_progress")


def test_what_has_ended_stays_as_it_is(people: Cast, lab: Workspace) -> None:
    batch = batch_of(people.acme, lab, status="ended")

    assert (cancel_unattended(), status(batch)) == (0, "ended")
