"""Invite people into an organization, let them in, and take invitations back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from admin_api import audit, mail
from admin_api.actions import memberships, users
from admin_api.actor import Actor
from gateway import credentials
from gateway.errors import InvalidRequest, NotFound, PermissionDenied
from gateway.models import Invite, Organization, User
from gateway.models.invites import LIFETIME

# Whether the link is mailed, and when: before the answer, or in its turn, which no mail server can hold up.
Mailing = Literal["not", "at once", "by a worker"]


@transaction.atomic
def create(
    *,
    actor: Actor,
    organization: Organization,
    email: str,
    role: str,
    invited_by: User | None = None,
    replacing: bool = False,
    mailing: Mailing = "not",
) -> tuple[Invite, str]:
    """The invite and the token of its `link`, which is not stored.

    An address has one pending invite: a further one is refused, or with `replacing` withdraws that one. Raises
    `Unavailable` where the mail cannot be sent at once; nothing is then made.
    """
    address = users.normalised_email(email)
    memberships.check_role(role)
    held = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    _check_domain(held, address)
    _check_no_member(organization, address)
    replaced = _make_room(organization, address, replacing)
    token = secrets.token_urlsafe(32)
    invite = Invite.objects.create(
        organization=organization,
        email=address,
        role=role,
        token_digest=_digests(token)[0],
        invited_by=invited_by,
    )
    _record(actor, "invite.created", invite, {"replaces": replaced} if replaced else {})
    _mail(invite, token, mailing)
    return invite, token


@transaction.atomic
def renew(*, actor: Actor, invite: Invite, mailing: Mailing = "not") -> tuple[Invite, str]:
    """Another link for an invite that is pending or has expired, for 21 days from now; the link before is dead.

    Raises `InvalidRequest` for an invite that was accepted or taken back, and where its address has joined, has another
    pending one, or is of no domain that is invited any more.
    """
    Organization.objects.select_for_update(no_key=True).get(pk=invite.organization_id)
    rows = Invite.objects.select_for_update(of=("self",)).select_related("organization", "invited_by")
    held = rows.get(pk=invite.pk)
    if held.status not in ("pending", "expired"):
        raise InvalidRequest(f"An invite that is {held.status} cannot be sent again.")
    _check_domain(held.organization, held.email)
    _check_no_member(held.organization, held.email)
    _check_alone(held)
    token = secrets.token_urlsafe(32)
    held.token_digest, held.expires_at = _digests(token)[0], timezone.now() + LIFETIME
    held.save(update_fields=["token_digest", "expires_at"])
    _record(actor, "invite.renewed", held)
    _mail(held, token, mailing)
    return held, token


def _mail(invite: Invite, token: str, mailing: Mailing) -> None:
    """The last step, so that nothing but the commit can fail once it is out."""
    if mailing == "at once":
        mail.send_invitation(invite, link(token))
    elif mailing == "by a worker":
        mail.post_invitation(invite, link(token))


def _check_alone(held: Invite) -> None:
    others = pending(organization=held.organization, email=held.email).exclude(pk=held.pk)
    if other := others.first():
        raise InvalidRequest(
            f"{held.email} has another pending invite, {other.id}", error_code="invite_already_exists"
        )


@transaction.atomic
def withdraw(*, actor: Actor, invite: Invite) -> Invite:
    """Takes a pending invite back: its link is dead. Raises `InvalidRequest` for any other."""
    held = Invite.objects.select_for_update().get(pk=invite.pk)
    if held.status != "pending":
        raise InvalidRequest(f"An invite that is {held.status} cannot be deleted.")
    held.deleted_at = timezone.now()
    held.save(update_fields=["deleted_at"])
    _record(actor, "invite.deleted", held)
    return held


def _check_domain(organization: Organization, address: str) -> None:
    domains = organization.invite_domains
    if domains and address.rpartition("@")[2] not in domains:
        raise InvalidRequest(f"email: {organization.name} invites only people at {', '.join(domains)}")


def _check_no_member(organization: Organization, address: str) -> None:
    if organization.memberships.filter(user__email__iexact=address).exists():
        raise InvalidRequest(
            f"email: {address} is a member of {organization.name} already", error_code="already_member"
        )


def _make_room(organization: Organization, address: str, replacing: bool) -> list[str]:
    """The ids of the pending invites that were withdrawn."""
    before = pending(organization=organization, email=address)
    ids = list(before.values_list("id", flat=True))
    if ids and not replacing:
        raise InvalidRequest(
            f"email: {address} has a pending invite already, {ids[0]}", error_code="invite_already_exists"
        )
    before.update(deleted_at=timezone.now())
    return ids


def pending(*, organization: Organization, email: str) -> models.QuerySet[Invite]:
    """The invites of this address into this organization that can still be accepted."""
    return Invite.objects.filter(
        organization=organization,
        email__iexact=email.strip(),
        accepted_at=None,
        deleted_at=None,
        expires_at__gt=timezone.now(),
    )


def link(token: str) -> str:
    """The address to hand to the person invited; never derived from a request's Host header."""
    return f"{settings.CONFIGURATION.base_url}/invites/{token}"


def find(token: str) -> Invite | None:
    """The pending invite behind a link; None where it has been used or withdrawn or has expired."""
    invite = Invite.objects.select_related("organization").filter(token_digest__in=_digests(token)).first()
    return invite if invite is not None and invite.status == "pending" else None


@transaction.atomic
def accept(
    *,
    token: str,
    name: str,
    password: str | None,
    user: User | None,
    ip_address: str | None = None,
    request_id: str = "",
) -> User:
    """The member the invite was for. `user` is who is signed in; a new person gives name and password.

    Raises `NotFound` (no such pending invite), `PermissionDenied` (signed in as somebody else, or the address
    has an account that is not signed in) and `InvalidRequest` (password).
    """
    invite = Invite.objects.select_for_update(of=("self",)).filter(token_digest__in=_digests(token)).first()
    if invite is None or invite.status != "pending":
        raise NotFound("This invitation is not valid: it has been used, withdrawn, or has expired.")
    member = _person(invite, name, password, user)
    actor = Actor.user(member, ip_address=ip_address, request_id=request_id)
    memberships.add(actor=actor, organization=invite.organization, user=member, role=invite.role)
    invite.accepted_at = timezone.now()
    invite.save(update_fields=["accepted_at"])
    _record(actor, "invite.accepted", invite)
    return member


def _person(invite: Invite, name: str, password: str | None, user: User | None) -> User:
    """The signed-in user where the address is theirs, else a new account for the address."""
    if user is not None:
        if user.email.lower() != invite.email.lower():
            raise PermissionDenied(
                f"This invitation is for {invite.email}, and you are signed in as {user.email}."
            )
        return user
    if User.objects.filter(email__iexact=invite.email).exists():
        raise _has_account(invite.email)
    if not password:
        raise InvalidRequest("password: choose one")
    return _new_account(invite.email, name, password)


def _new_account(email: str, name: str, password: str) -> User:
    """Two invites of one new address, accepted at the same moment, still make one account."""
    try:
        with transaction.atomic():
            return users.create(actor=Actor("system"), email=email, password=password, name=name)
    except IntegrityError:
        if not User.objects.filter(email__iexact=email).exists():
            raise
        raise _has_account(email) from None


def _has_account(email: str) -> PermissionDenied:
    return PermissionDenied(f"{email} has an account already: sign in to accept this invitation.")


def _digests(token: str) -> list[bytes]:
    """Under each pepper; the first is the one that new tokens are stored under."""
    return [credentials.digest(token, pepper) for pepper in settings.CONFIGURATION.peppers]


def _record(actor: Actor, action: str, invite: Invite, details: Mapping[str, object] | None = None) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="invite",
        target_id=invite.id,
        organization_id=invite.organization_id,
        details={"email": invite.email, "role": invite.role, **(details or {})},
    )
