"""Who may see a message batch, and what cancelling one leaves."""

from __future__ import annotations

import pytest
from django.utils import timezone

from admin_api import access
from admin_api.actions import message_batches as actions
from admin_api.actions import workspace_members, workspaces
from admin_api.actor import SYSTEM, Actor
from admin_api.queries.message_batches import message_batches
from gateway.errors import InvalidRequest, NotFound
from gateway.models import AuditEntry, Membership, MessageBatch, User, Workspace
from tests.batches.rows import batch_of
from tests.people import Cast


def member(user: User) -> Membership:
    return access.membership_for(user)


def lab(people: Cast, user: User | None = None, role: str = "") -> Workspace:
    """A workspace of Acme where that user works as `role`."""
    made = workspaces.create(actor=SYSTEM, organization=people.acme, name=f"Lab {role}")
    if user is not None:
        workspace_members.add(actor=SYSTEM, workspace=made, membership=member(user), role=role)
    return made


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("ada", {"default", "lab"}),
        ("dev", {"default"}),
        ("bill", set()),
        ("uma", set()),
        ("mallory", {"umbrella"}),
    ],
)
def test_a_role_in_the_organization_shows_what_its_keys_could_read(
    people: Cast, who: str, seen: set[str]
) -> None:
    batches = {
        batch_of(people.acme).id: "default",
        batch_of(people.acme, lab(people)).id: "lab",
        batch_of(people.umbrella).id: "umbrella",
    }

    rows = message_batches(member(getattr(people, who)))

    assert {batches[row.id] for row in rows} == seen


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("workspace_admin", True),
        ("workspace_developer", True),
        ("workspace_restricted_developer", True),
        ("workspace_user", False),
    ],
)
def test_a_role_in_a_workspace_shows_that_workspace_alone(people: Cast, role: str, sees: bool) -> None:
    here = batch_of(people.acme, lab(people, people.uma, role))
    batch_of(people.acme, lab(people))
    batch_of(people.acme)

    rows = message_batches(member(people.uma))

    assert [row.id for row in rows] == ([here.id] if sees else [])


def test_billing_sees_none_whatever_they_are_in_a_workspace(people: Cast) -> None:
    batch_of(people.acme, lab(people, people.uma, "workspace_developer"))
    Membership.objects.filter(user=people.uma).update(role=Membership.Role.BILLING)

    assert not message_batches(member(people.uma)).exists()


@pytest.mark.parametrize("batch_id", ["msgbatch_nothing", "", "\x00", "foreign", "of another workspace"])
def test_what_is_absent_and_what_is_foreign_look_the_same(people: Cast, batch_id: str) -> None:
    others = {
        "foreign": batch_of(people.umbrella).id,
        "of another workspace": batch_of(people.acme, lab(people)).id,
    }

    with pytest.raises(NotFound, match=r"^Message batch not found\.$"):
        access.message_batch(member(people.dev), others.get(batch_id, batch_id))


def test_cancelling_says_who_did_it_and_what_was_left(people: Cast) -> None:
    batch = batch_of(people.acme, succeeded=3, errored=1)

    canceled = actions.cancel(actor=Actor.user(people.dev), batch=batch)

    batch.refresh_from_db()
    assert (batch.status, batch.cancel_initiated_at) == ("canceling", canceled.cancel_initiated_at)
    line = AuditEntry.objects.get(action="message_batch.canceled")
    assert (line.actor_id, line.target_id, line.organization_id) == (people.dev.id, batch.id, people.acme.id)
    assert line.details == {"requests": 10, "unfinished": 6}


def test_cancelling_again_changes_nothing(people: Cast) -> None:
    first = actions.cancel(actor=SYSTEM, batch=batch_of(people.acme))

    again = actions.cancel(actor=SYSTEM, batch=first)

    assert again.cancel_initiated_at == first.cancel_initiated_at
    assert AuditEntry.objects.filter(action="message_batch.canceled").count() == 1


def test_what_has_ended_cannot_be_cancelled(people: Cast) -> None:
    batch = batch_of(people.acme, status="ended", succeeded=10, ended_at=timezone.now())

    with pytest.raises(InvalidRequest, match="has ended cannot be canceled"):
        actions.cancel(actor=SYSTEM, batch=batch)

    assert MessageBatch.objects.get(pk=batch.pk).status == "ended"


def test_a_batch_that_was_deleted_meanwhile_is_absent(people: Cast) -> None:
    batch = batch_of(people.acme)
    MessageBatch.objects.filter(pk=batch.pk).delete()

    with pytest.raises(NotFound):
        actions.cancel(actor=SYSTEM, batch=batch)
