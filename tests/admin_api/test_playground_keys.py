"""Keys that stand for people in the Playground: whose they are, when they end, and where they do not show."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from admin_api import access
from admin_api.actions import memberships, playground_keys, workspace_members, workspaces
from admin_api.actor import SYSTEM
from admin_api.queries import named
from admin_api.queries.api_keys import api_keys
from admin_api.queries.member_workspaces import member_workspaces, playground_workspaces
from gateway.errors import NotFound, PermissionDenied
from gateway.models import ApiKey, AuditEntry, Membership, User, Workspace
from tests.admin_api.report import DAY, MONDAY, USAGE, office, results
from tests.metering.ledger import Ledger
from tests.people import Cast, person


def place(people: Cast, user: User) -> Membership:
    return access.membership_for(user, people.acme.id)


def taken(people: Cast, user: User, workspace: Workspace | None = None) -> ApiKey:
    workspace = workspace or people.acme.workspaces.get(is_default=True)
    return playground_keys.take(actor=SYSTEM, member=place(people, user), workspace=workspace)


def names(member: Membership) -> list[str]:
    return [workspace.name for workspace in playground_workspaces(member)]


def test_a_key_is_made_once_for_a_person_and_a_workspace(people: Cast) -> None:
    first, lines = taken(people, people.uma), AuditEntry.objects.count()
    assert (first.user, first.created_by, first.name) == (people.uma, people.uma, "Playground of Uma")
    assert taken(people, people.uma) == first
    assert AuditEntry.objects.count() == lines
    assert taken(people, people.dev) != first


def test_it_ends_with_the_membership_and_is_there_again_with_the_next(people: Cast) -> None:
    key = taken(people, people.uma)
    before = place(people, people.uma)
    memberships.remove(actor=SYSTEM, membership=place(people, people.uma))
    key.refresh_from_db()
    assert key.status == "archived"
    with pytest.raises(PermissionDenied):
        playground_keys.take(actor=SYSTEM, member=before, workspace=people.acme.workspaces.get())
    memberships.add(actor=SYSTEM, organization=people.acme, user=people.uma, role="user")
    again = taken(people, people.uma)
    assert (again, again.status) == (key, "active")


def test_it_is_not_handed_over_with_the_keys_of_who_leaves(people: Cast) -> None:
    mine, theirs = taken(people, people.uma), taken(people, people.dev)
    memberships.remove(actor=SYSTEM, membership=place(people, people.uma), keys_to=place(people, people.dev))
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.status, mine.user, theirs.status) == ("archived", people.uma, "active")


def test_everybody_but_billing_works_in_the_default_workspace_and_in_others_by_role(people: Cast) -> None:
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    cleo = person("Cleo", people.acme, "claude_code_user")
    workspace_members.add(
        actor=SYSTEM, workspace=lab, membership=place(people, people.uma), role="workspace_user"
    )
    assert names(place(people, people.ada)) == ["Default", "Lab"]
    assert names(place(people, people.uma)) == ["Default", "Lab"]
    assert names(place(people, people.dev)) == names(place(people, cleo)) == ["Default"]
    assert names(place(people, people.bill)) == []
    assert list(member_workspaces(place(people, people.uma))) == []  # with keys she works nowhere
    workspaces.archive(actor=SYSTEM, workspace=lab)
    assert names(place(people, people.ada)) == ["Default"]
    with pytest.raises(NotFound):
        taken(people, people.ada, lab)


def test_it_is_in_no_list_of_keys_and_no_command_knows_it(people: Cast) -> None:
    key, listed = taken(people, people.dev), StringIO()
    assert not api_keys(people.acme).filter(id=key.id).exists()
    with pytest.raises(NotFound):
        access.api_key(people.acme, key.id)
    call_command("list_api_keys", organization="Acme", stdout=listed)
    assert key.id not in listed.getvalue()
    with pytest.raises(NotFound, match="no key has the id"):
        named.api_key(key.id)


def test_reports_say_of_the_playground_that_no_key_was_used_and_who_did(people: Cast, ledger: Ledger) -> None:
    our = office(people, ledger)
    ours = our.of_dev.id
    mine = [taken(people, people.uma).id, taken(people, people.dev).id]
    for key in (ours, *mine):
        our.use(MONDAY, api_key_id=key)
    span = {"starting_at": MONDAY, "ending_at": MONDAY + DAY}
    by_key = results(our.walk(USAGE, **span, group_by=["api_key_id"]))
    by_account = results(our.walk(USAGE, **span, group_by=["api_key_id", "account_id"]))
    assert [row["api_key_id"] for row in by_key] == [ours, None]
    assert by_key[1]["output_tokens"] == 2 * by_key[0]["output_tokens"] > 0
    assert {(row["api_key_id"], row["account_id"]) for row in by_account} == {
        (ours, people.dev.id),
        (None, people.dev.id),
        (None, people.uma.id),
    }
