"""The people of the stage: what the pages of members and workspaces are looked at with."""

from __future__ import annotations

import datetime

from django.utils import timezone

from admin_api.actions import (
    api_keys,
    invites,
    service_account_workspaces,
    service_accounts,
    workspace_members,
    workspaces,
)
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, Invite, Membership, ServiceAccount, User, Workspace
from tests.people import Cast, person

USED = "wrkspc_stage"  # what all events of the stage are of
LONG = (
    "a-name-that-goes-on-and-on-and-is-broken-somewhere-in-the-middle-of-it-since-no-page-is-as-wide-as-it-is"
)


def made(cast: Cast) -> dict[str, str]:
    """Ids by the names that `page_list.py` has for them."""
    used = Workspace.objects.create(
        id=USED, organization=cast.acme, name="Production", display_color="#12907F"
    )
    _many_members(cast)
    research = _research(cast)
    key = _keys(cast, used, research)
    _invites(cast)
    return {
        "workspace": used.id,
        "research": research.id,
        "default": cast.acme.workspaces.get(is_default=True).id,
        "gone": _archived(cast).id,
        "dev": cast.dev.id,
        "ada": cast.ada.id,
        "service_account": _service_account(cast, research, key).id,
    }


def _many_members(cast: Cast) -> None:
    """More than a page of them, who joined before everybody else, and one with a long name."""
    long_ago = timezone.now() - datetime.timedelta(days=400)
    people = [User(email=f"member-{n}@example.com", name=f"Member {n}", password="!") for n in range(50)]
    User.objects.bulk_create(people)
    Membership.objects.bulk_create(
        Membership(organization=cast.acme, user=user, role="user", added_at=long_ago) for user in people
    )
    somebody = person("Lo", cast.acme, "developer")
    somebody.name = LONG.title()
    somebody.save()


def _research(cast: Cast) -> Workspace:
    research = workspaces.create(
        actor=SYSTEM, organization=cast.acme, name="Research & <Development>", display_color="#D0682C"
    )
    workspaces.create(actor=SYSTEM, organization=cast.acme, name=LONG)
    workspaces.set_limits(actor=SYSTEM, workspace=research, limits={"requests_per_minute": 50})
    for user, role in ((cast.dev, "workspace_admin"), (cast.uma, "workspace_user")):
        workspace_members.add(
            actor=SYSTEM,
            workspace=research,
            membership=user.memberships.get(organization=cast.acme),
            role=role,
        )
    return research


def _keys(cast: Cast, used: Workspace, research: Workspace) -> ApiKey:
    for name, user in (("ci-runner", None), ("Dev's laptop", cast.dev), (LONG, cast.dev)):
        api_keys.create(
            actor=SYSTEM,
            organization=cast.acme,
            name=name,
            workspace=used,
            user=user,
            created_by=cast.dev,
        )
    account = service_accounts.create(
        actor=SYSTEM, organization=cast.acme, name="nightly", description="Runs the evaluations at night."
    )
    key, _ = api_keys.create(
        actor=SYSTEM, organization=cast.acme, name="nightly", workspace=research, service_account=account
    )
    return key


def _service_account(cast: Cast, research: Workspace, key: ApiKey) -> ServiceAccount:
    account: ServiceAccount = cast.acme.service_accounts.get(pk=key.service_account_id)
    service_account_workspaces.add(
        actor=SYSTEM, workspace=research, service_account=account, role="workspace_developer"
    )
    return account


def _invites(cast: Cast) -> None:
    """One that has expired, and one of a long address."""
    for email in ("late@example.com", f"{LONG[:60]}@{LONG[:40]}.example.com"):
        invites.create(actor=SYSTEM, organization=cast.acme, email=email, role="billing", invited_by=cast.ada)
    Invite.objects.filter(email="late@example.com").update(expires_at=timezone.now())


def _archived(cast: Cast) -> Workspace:
    gone = workspaces.create(actor=SYSTEM, organization=cast.acme, name="Trial of spring")
    return workspaces.archive(actor=SYSTEM, workspace=gone)
