"""Whom an identity provider lets into its organization, and whom never."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actions import invites, memberships
from admin_api.actor import Actor
from admin_api.roles import GRANTABLE
from admin_api.sso_domains import domain_of
from gateway.errors import PermissionDenied
from gateway.models import Invite, Membership, Organization, SsoConnection, User


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a provider says of somebody: `subject` is theirs for good, an address may become another's."""

    subject: str
    email: str
    email_verified: bool
    name: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`user` is None for somebody new. `invite` is the invitation that is taken up."""

    user: User | None
    member: bool
    role: str
    invite: Invite | None = None

    @property
    def words(self) -> str:
        if self.member:
            return "is a member already and would be signed in"
        if self.invite is not None:
            return f"is invited and would become a member with the role {self.role}"
        return f"would become a member with the role {self.role}"


def verdict(connection: SsoConnection, identity: Identity) -> Verdict:
    """What would become of this person. Changes nothing. Raises `PermissionDenied` with what to do."""
    email = _checked_email(connection, identity)
    known = _known(connection, identity.subject)
    user = known or User.objects.filter(email__iexact=email).first()
    if user is None:
        return _invited(connection, email, None) or Verdict(None, False, connection.role)
    _check_person(connection, identity, user, is_known=known is not None)
    member = Membership.objects.filter(organization=connection.organization_id, user=user).first()
    if member is not None:
        return Verdict(user, True, member.role)
    invited = _invited(connection, user.email, user)
    if invited is None:
        raise PermissionDenied(
            f"{user.email} has an account here but is no member. Ask an admin for an invitation."
        )
    return invited


@transaction.atomic
def admit(*, actor: Actor, connection: SsoConnection, identity: Identity) -> User:
    """The member this is, made one if need be; `actor` tells from where. Raises `PermissionDenied`."""
    Organization.objects.select_for_update(no_key=True).get(pk=connection.organization_id)
    held = SsoConnection.objects.select_related("organization").filter(pk=connection.pk).first()
    if held is None or held.state != SsoConnection.State.ON or held.version != connection.version:
        raise PermissionDenied("Single sign-on was changed meanwhile. Try again.")
    if held.organization.suspended_at is not None:
        raise PermissionDenied("This organization has been suspended.")
    found = verdict(held, identity)
    user = found.user or _new_user(actor, held, identity)
    as_user = dataclasses.replace(actor, type="user", id=user.id)
    if not found.member:
        memberships.add(actor=as_user, organization=held.organization, user=user, role=found.role)
    if found.invite is not None:
        found.invite.accepted_at = timezone.now()
        found.invite.save(update_fields=["accepted_at"])
    SocialAccount.objects.get_or_create(
        provider=held.id, uid=identity.subject, defaults={"user": user, "extra_data": {}}
    )
    _record(as_user, held, user, {"invite": found.invite.id} if found.invite else {})
    return user


@transaction.atomic
def note_refusal(*, actor: Actor, connection: SsoConnection, reason: str) -> None:
    """Somebody came back from the provider and was not let in."""
    audit.record(
        actor=actor,
        action="sso.refused",
        target_type="sso_connection",
        target_id=connection.id,
        organization_id=connection.organization_id,
        details={"reason": reason.replace("\x00", "")},
    )


def _checked_email(connection: SsoConnection, identity: Identity) -> str:
    """In lower case."""
    email = identity.email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise PermissionDenied("Your identity provider told no e-mail address.") from None
    if not identity.email_verified:
        raise PermissionDenied(f"Your identity provider does not say that {email} was verified.")
    if not identity.subject or len(identity.subject) > 191 or len(email) > 254:
        raise PermissionDenied("Your identity provider does not say who you are.")
    if not connection.domains.filter(name=domain_of(email)).exists():
        raise PermissionDenied(f"The domain of {email} does not belong to this organization's sign-in.")
    return email


def _known(connection: SsoConnection, subject: str) -> User | None:
    account = SocialAccount.objects.select_related("user").filter(provider=connection.id, uid=subject).first()
    return account.user if account is not None else None


def _check_person(connection: SsoConnection, identity: Identity, user: User, *, is_known: bool) -> None:
    if not user.is_active:
        raise PermissionDenied("This account is deactivated.")
    if user.is_operator:
        raise PermissionDenied("Operators of the gateway sign in with their password.")
    others = SocialAccount.objects.filter(provider=connection.id, user=user).exclude(uid=identity.subject)
    if not is_known and others.exists():
        raise PermissionDenied(
            f"{user.email} came through single sign-on as somebody else before. Ask an admin to remove that member."
        )


def _invited(connection: SsoConnection, email: str, user: User | None) -> Verdict | None:
    """An invitation as admin is taken up with its own link only: a provider makes no admins."""
    invite = invites.pending(organization=connection.organization, email=email).first()
    if invite is None:
        return None
    if invite.role not in GRANTABLE:
        raise PermissionDenied(
            "You are invited as an admin: accept the invitation with the link in it first."
        )
    return Verdict(user, False, invite.role, invite)


def _new_user(actor: Actor, connection: SsoConnection, identity: Identity) -> User:
    """Without a password: whoever gets mail at the address may choose one."""
    email = identity.email.strip().lower()
    name = identity.name.replace("\x00", "").strip()[:200]
    user = User.objects.create_user(email, None, name=name)
    audit.record(
        actor=dataclasses.replace(actor, type="user", id=user.id),
        action="user.created",
        target_type="user",
        target_id=user.id,
        organization_id=connection.organization_id,
        details={"email": email, "sso_connection": connection.id},
    )
    return user


def _record(actor: Actor, connection: SsoConnection, user: User, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action="sso.signed_in",
        target_type="user",
        target_id=user.id,
        organization_id=connection.organization_id,
        details={"sso_connection": connection.id, **details},
    )
