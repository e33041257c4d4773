from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from admin_api.actions import invites
from admin_api.actor import SYSTEM
from gateway.errors import GatewayError, InvalidRequest, NotFound, PermissionDenied
from gateway.models import AuditEntry, Invite, Membership, Organization, User
from tests.people import PASSWORD, Cast

GONE = "This invitation is not valid: it has been used, withdrawn, or has expired."


def invited(people: Cast, email: str = "new@example.com", role: str = "developer") -> str:
    _, token = invites.create(actor=SYSTEM, organization=people.acme, email=email, role=role)
    return token


def accept(token: str, *, user: User | None = None, password: str | None = PASSWORD) -> User:
    return invites.accept(token=token, name="New", password=password, user=user)


def test_a_new_person_gets_an_account_and_the_role(people: Cast) -> None:
    member = accept(invited(people, "New@Example.com"))

    assert (member.email, member.name, member.is_operator) == ("new@example.com", "New", False)
    assert member.check_password(PASSWORD)
    assert list(member.memberships.values_list("organization__name", "role")) == [("Acme", "developer")]


def test_the_link_is_built_from_the_configured_address_and_only_a_digest_is_stored(people: Cast) -> None:
    token = invited(people)

    assert invites.link(token) == f"{settings.CONFIGURATION.base_url}/invites/{token}"
    assert len(token) == 43  # 256 bits
    assert token not in str(list(Invite.objects.values())) + str(list(AuditEntry.objects.values()))


def test_an_invite_is_used_once(people: Cast) -> None:
    token = invited(people)
    member = accept(token)

    with pytest.raises(NotFound) as refused:
        accept(token, user=member)

    assert refused.value.message == GONE
    assert invites.find(token) is None


def test_twenty_claims_at_once_let_exactly_one_in(committed_people: Cast) -> None:
    token = invited(committed_people)

    def claim(_: int) -> str:
        try:
            return accept(token).email
        except GatewayError as refused:
            return refused.message
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(claim, range(20)))

    assert sorted(outcomes) == sorted(["new@example.com", *[GONE] * 19])
    assert Membership.objects.filter(user__email="new@example.com").count() == 1
    assert AuditEntry.objects.filter(action="invite.accepted").count() == 1


def test_two_organizations_inviting_one_new_person_at_once_make_one_account(committed_people: Cast) -> None:
    first = invited(committed_people)
    umbrella = committed_people.umbrella
    _, second = invites.create(actor=SYSTEM, organization=umbrella, email="new@example.com", role="user")

    def claim(token: str) -> str:
        try:
            return accept(token).email
        except PermissionDenied as refused:
            return refused.message
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(claim, [first, second]))

    sign_in = "new@example.com has an account already: sign in to accept this invitation."
    assert sorted(outcomes) == sorted(["new@example.com", sign_in])
    assert User.objects.filter(email="new@example.com").count() == 1


def test_an_existing_person_must_be_signed_in_as_the_address_invited(people: Cast) -> None:
    token = invited(people, "MALLORY@example.com")

    with pytest.raises(PermissionDenied) as anonymous:
        accept(token)
    with pytest.raises(PermissionDenied) as somebody_else:
        accept(token, user=people.olga)

    assert (
        anonymous.value.message
        == "mallory@example.com has an account already: sign in to accept this invitation."
    )
    assert somebody_else.value.message == (
        "This invitation is for mallory@example.com, and you are signed in as olga@example.com."
    )
    assert accept(token, user=people.mallory, password=None) == people.mallory
    assert people.mallory.memberships.count() == 2


def test_a_signed_in_person_cannot_take_an_invite_of_a_new_address(people: Cast) -> None:
    with pytest.raises(PermissionDenied):
        accept(invited(people), user=people.mallory)

    assert not User.objects.filter(email="new@example.com").exists()


@pytest.mark.parametrize("password", ["short", "new@example.com", "administrator", None, ""])
def test_a_weak_password_is_refused_and_the_invite_stays(people: Cast, password: str | None) -> None:
    token = invited(people)

    with pytest.raises(InvalidRequest):
        accept(token, password=password)

    assert invites.find(token) is not None
    assert not User.objects.filter(email="new@example.com").exists()


def test_an_expired_or_withdrawn_invite_is_not_found(people: Cast) -> None:
    expired, withdrawn = invited(people, "one@example.com"), invited(people, "two@example.com")
    Invite.objects.filter(email="one@example.com").update(
        expires_at=timezone.now() - datetime.timedelta(seconds=1)
    )
    Invite.objects.filter(email="two@example.com").update(deleted_at=timezone.now())

    assert [invites.find(expired), invites.find(withdrawn), invites.find("x" * 43), invites.find("\x00")] == [
        None
    ] * 4
    for token in (expired, withdrawn):
        with pytest.raises(NotFound):
            accept(token)


def test_an_address_has_one_pending_invite_which_another_one_may_replace(people: Cast) -> None:
    first = invited(people)
    with pytest.raises(InvalidRequest) as refused:
        invited(people, "NEW@example.com", "billing")

    _, second = invites.create(
        actor=SYSTEM, organization=people.acme, email="NEW@example.com", role="billing", replacing=True
    )

    (before, after) = Invite.objects.order_by("invited_at")
    assert refused.value.message == f"email: new@example.com has a pending invite already, {before.id}"
    assert invites.find(first) is None
    assert accept(second).memberships.get().role == "billing"
    assert AuditEntry.objects.get(target_id=after.id, action="invite.created").details["replaces"] == [
        before.id
    ]


def test_a_member_cannot_be_invited_again(people: Cast) -> None:
    with pytest.raises(InvalidRequest) as refused:
        invited(people, "DEV@example.com")

    assert refused.value.message == "email: dev@example.com is a member of Acme already"


def test_every_step_is_in_the_audit_log(people: Cast) -> None:
    before = AuditEntry.objects.count()
    member = accept(invited(people))

    lines = AuditEntry.objects.order_by("id").values_list("action", "actor_type", "actor_id")[before:]
    assert list(lines) == [
        ("invite.created", "system", ""),
        ("user.created", "system", ""),
        ("membership.added", "user", member.id),
        ("invite.accepted", "user", member.id),
    ]


def test_a_renewed_invite_has_another_link_and_three_weeks_from_now(people: Cast) -> None:
    first = invited(people)
    invite = Invite.objects.get()
    Invite.objects.update(expires_at=timezone.now() - datetime.timedelta(days=1))

    renewed, second = invites.renew(actor=SYSTEM, invite=invite)

    assert (renewed.pk, renewed.status) == (invite.pk, "pending")
    assert (
        datetime.timedelta(days=20, hours=23)
        < renewed.expires_at - timezone.now()
        <= datetime.timedelta(days=21)
    )
    assert invites.find(first) is None
    assert accept(second).email == "new@example.com"


def test_what_is_over_is_not_renewed(people: Cast) -> None:
    accept(invited(people))
    accepted = Invite.objects.get()
    withdrawn, _ = invites.create(
        actor=SYSTEM, organization=people.acme, email="two@example.com", role="user"
    )
    invites.withdraw(actor=SYSTEM, invite=withdrawn)
    expired, _ = invites.create(actor=SYSTEM, organization=people.acme, email="one@example.com", role="user")
    Invite.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    newer, _ = invites.create(actor=SYSTEM, organization=people.acme, email="one@example.com", role="user")
    joined, _ = invites.create(
        actor=SYSTEM, organization=people.acme, email="mallory@example.com", role="user"
    )
    Membership.objects.create(organization=people.acme, user=people.mallory, role="user")
    foreign, _ = invites.create(actor=SYSTEM, organization=people.acme, email="x@elsewhere.org", role="user")
    Organization.objects.filter(pk=people.acme.pk).update(invite_domains=["example.com"])

    refusals = []
    for invite in (accepted, withdrawn, expired, joined, foreign):
        with pytest.raises(InvalidRequest) as refused:
            invites.renew(actor=SYSTEM, invite=invite)
        refusals.append(refused.value.message)

    assert refusals == [
        "An invite that is accepted cannot be sent again.",
        "An invite that is deleted cannot be sent again.",
        f"one@example.com has another pending invite, {newer.id}",
        "email: mallory@example.com is a member of Acme already",
        "email: Acme invites only people at example.com",
    ]
