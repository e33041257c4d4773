"""Keeping contents: for how long, who read them, and under another key."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from admin_api.actions import encryption, request_contents, workspaces
from admin_api.actor import SYSTEM, Actor
from admin_api.queries.request_contents import is_kept, may_read
from gateway.configuration import Configuration
from gateway.contents.tasks import forget_contents
from gateway.errors import InvalidRequest, NotFound
from gateway.models import AuditEntry, Membership, RequestContent, Workspace, WorkspaceMember
from tests.contents import DAY, kept
from tests.people import Cast

pytestmark = pytest.mark.django_db


def lab(people: Cast, days: int = 10) -> Workspace:
    made = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    return workspaces.keep_contents(actor=SYSTEM, workspace=made, days=days)


def test_reading_tells_what_was_said_and_who_read_it(people: Cast) -> None:
    row = kept(lab(people))

    found = request_contents.read(
        actor=Actor.user(people.ada), organization=people.acme, request_id=row.request_id
    )

    assert (found.request, found.response) == (b"asked", b"answered")
    line = AuditEntry.objects.get(action="request_content.read")
    assert (line.actor_id, line.target_id, line.organization_id) == (
        people.ada.id,
        row.request_id,
        people.acme.id,
    )


def test_what_is_past_its_day_is_not_read_and_soon_gone(people: Cast) -> None:
    old, new = kept(lab(people), age=11 * DAY), None
    new = kept(people.acme.workspaces.get(name="Lab"))

    with pytest.raises(NotFound):
        request_contents.read(actor=SYSTEM, organization=people.acme, request_id=old.request_id)
    assert not is_kept(people.acme, old.request_id) and is_kept(people.acme, new.request_id)
    assert forget_contents() == 1
    assert [row.request_id for row in RequestContent.objects.all()] == [new.request_id]


@pytest.mark.parametrize(("days", "left"), [(0, 0), (2, 1), (30, 2)])
def test_fewer_days_hold_for_what_is_kept_already_and_more_do_not(people: Cast, days: int, left: int) -> None:
    workspace = lab(people)
    kept(workspace, age=DAY)
    kept(workspace, age=5 * DAY)

    workspaces.keep_contents(actor=SYSTEM, workspace=workspace, days=days)
    forget_contents()

    assert RequestContent.objects.count() == left


@pytest.mark.parametrize("days", [-1, 366])
def test_days_have_bounds(people: Cast, days: int) -> None:
    with pytest.raises(InvalidRequest, match=r"^days: "):
        lab(people, days)


def test_admins_may_read_and_those_of_the_workspace(people: Cast) -> None:
    workspace = lab(people)
    members = {m.user_id: m for m in Membership.objects.filter(organization=people.acme)}
    WorkspaceMember.objects.create(
        organization=people.acme, workspace=workspace, user=people.uma, role="workspace_admin"
    )
    WorkspaceMember.objects.create(
        organization=people.acme, workspace=workspace, user=people.dev, role="workspace_developer"
    )

    readers = [
        one
        for one in (people.ada, people.dev, people.bill, people.uma)
        if may_read(members[one.id], workspace)
    ]

    assert readers == [people.ada, people.uma]


def test_contents_go_under_another_key_with_everything_else(
    people: Cast, settings: pytest.FixtureRequest
) -> None:
    row, before = kept(lab(people)), settings.CONFIGURATION
    keys = ",".join(
        [Fernet.generate_key().decode(), *(k.get_secret_value() for k in before.data_encryption_keys)]
    )
    settings.CONFIGURATION = before.model_copy(
        update={
            "data_encryption_keys": Configuration.model_validate(
                before.model_dump(by_alias=True) | {"GATEWAY_DATA_ENCRYPTION_KEYS": keys}
            ).data_encryption_keys
        }
    )

    renewed = encryption.renew_contents()

    assert (renewed.total, renewed.changed, renewed.unreadable) == (1, 1, [])
    assert encryption.renew_contents().changed == 0
    settings.CONFIGURATION = before
    with pytest.raises(NotFound):  # the old key alone opens nothing any longer
        request_contents.read(actor=SYSTEM, organization=people.acme, request_id=row.request_id)
