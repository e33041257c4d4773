"""An organization's identity provider: entered, tried, turned on, required, turned off, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import SECRET, Change, differences, told
from admin_api.roles import GRANTABLE
from admin_api.sso_domains import checked_domain, checked_domains
from admin_api.sso_settings import Oidc, Saml
from admin_api.vault import vault
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Membership, Organization, SsoConnection, SsoDomain

State = SsoConnection.State
Kind = SsoConnection.Kind


@transaction.atomic
def create(
    *, actor: Actor, organization: Organization, provider: Oidc | Saml, domains: Sequence[str], role: str
) -> SsoConnection:
    """A draft, through which nobody comes yet. Raises `InvalidRequest`."""
    held = _held_organization(organization)
    if SsoConnection.objects.filter(organization=held).exists():
        raise InvalidRequest("This organization has an identity provider already.")
    if isinstance(provider, Oidc) and not provider.client_secret:
        raise InvalidRequest("client_secret: expected the secret that the provider gave you")
    names = checked_domains(held, domains, None)
    made = SsoConnection(organization=held, kind=_kind(provider), role=_role(role))
    _set(made, provider.checked())
    _seal(made, provider)
    made.save(force_insert=True)
    _name_domains(made, names)
    _record(actor, "sso.created", made, {"kind": made.kind, "domains": ", ".join(names), "role": made.role})
    return made


@transaction.atomic
def update(
    *, actor: Actor, connection: SsoConnection, provider: Oidc | Saml, domains: Sequence[str], role: str
) -> SsoConnection:
    """Changes what differs. Another provider, or another address of it, makes it a draft again, through which nobody
    comes and which nobody has to use. Raises `InvalidRequest`.
    """
    organization, held = _held(connection)
    if held.kind != _kind(provider):
        raise InvalidRequest("The kind of a provider cannot be changed; remove it and add the other one.")
    names = checked_domains(organization, domains, held)
    wanted = {**provider.checked(), "role": _role(role)}
    changes = differences({field: getattr(held, field) for field in wanted}, wanted)
    if _seal(held, provider):
        changes.append(Change("client_secret", None, SECRET))
    another = any(change.field != "role" for change in changes)
    changes += differences({"domains": sorted(_domains(held))}, {"domains": sorted(names)})
    if not changes:
        return held
    _set(held, wanted)
    if another:
        _draft(organization, held, known=[change.field for change in changes] == ["client_secret"])
    _save(held)
    _name_domains(held, names)
    _record(actor, "sso.changed", held, told(changes))
    return held


@transaction.atomic
def note_test(*, actor: Actor, connection: SsoConnection, version: int) -> SsoConnection:
    """Somebody came back through it as it is. One that was changed meanwhile stays a draft."""
    _, held = _held(connection)
    if held.state == State.DRAFT and held.version == version:
        held.state = State.TESTED
        _save(held)
    _record(actor, "sso.tested", held, {"version": version})
    return held


@transaction.atomic
def turn_on(*, actor: Actor, connection: SsoConnection) -> SsoConnection:
    """Raises `InvalidRequest` for one that was not tried."""
    _, held = _held(connection)
    if held.state == State.DRAFT:
        raise InvalidRequest(
            "Test the sign-in first: it has to have worked once before anybody depends on it."
        )
    held.state = State.ON
    _save(held)
    _record(actor, "sso.turned_on", held, {})
    return held


@transaction.atomic
def turn_off(*, actor: Actor, connection: SsoConnection) -> SsoConnection:
    """Nobody comes through it, and nobody has to. Sessions that did open nothing any more, also when it is on again."""
    organization, held = _held(connection)
    if held.state == State.ON:
        held.state = State.TESTED
        held.version += 1
    _save(held)
    _require(organization, False)
    _record(actor, "sso.turned_off", held, {})
    return held


@transaction.atomic
def require(*, actor: Actor, connection: SsoConnection, break_glass: Sequence[str]) -> SsoConnection:
    """From now on members come through it or not at all, save for these admins (ids of users), who may use their
    password as well. Raises `InvalidRequest`.
    """
    organization, held = _held(connection)
    if held.state != State.ON:
        raise InvalidRequest("Turn single sign-on on before you require it.")
    named = _admins(organization, break_glass)
    held.break_glass.set(named)
    _save(held)
    _require(organization, True)
    _record(actor, "sso.required", held, {"break_glass": named})
    return held


@transaction.atomic
def stop_requiring(*, actor: Actor, connection: SsoConnection) -> SsoConnection:
    organization, held = _held(connection)
    _require(organization, False)
    _record(actor, "sso.not_required", held, {})
    return held


@transaction.atomic
def remove(*, actor: Actor, connection: SsoConnection) -> None:
    """With what it knows of people; who became a member through it stays one."""
    organization, held = _held(connection)
    _require(organization, False)
    SocialAccount.objects.filter(provider=held.id).delete()
    _record(actor, "sso.removed", held, {"domains": _domains(held)})
    held.delete()


@transaction.atomic
def allow_domain(*, actor: Actor, organization: Organization, domain: str, allowed: bool = True) -> None:
    """An operator's word that this domain is the organization's. Taken back, a connection loses the domain, too."""
    held, name = _held_organization(organization), checked_domain(domain)
    others = [one for one in held.sso_domains if one != name]
    held.sso_domains = [*others, name] if allowed else others
    held.save(update_fields=["sso_domains"])
    if not allowed:
        SsoDomain.objects.filter(name=name, connection__organization=held).delete()
    audit.record(
        actor=actor,
        action="sso.domain_allowed" if allowed else "sso.domain_withdrawn",
        target_type="organization",
        target_id=str(held.id),
        organization_id=held.id,
        details={"domain": name},
    )


def _held_organization(organization: Organization) -> Organization:
    return Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)


def _held(connection: SsoConnection) -> tuple[Organization, SsoConnection]:
    """Both as they are now, while nobody else changes them."""
    organization = Organization.objects.select_for_update(no_key=True).get(pk=connection.organization_id)
    held = SsoConnection.objects.filter(pk=connection.pk).first()
    if held is None:
        raise NotFound("Identity provider not found.")
    return organization, held


def _kind(provider: Oidc | Saml) -> str:
    return Kind.OIDC if isinstance(provider, Oidc) else Kind.SAML


def _role(role: str) -> str:
    if role not in GRANTABLE:
        raise InvalidRequest(f"role: expected one of {', '.join(sorted(GRANTABLE))}")
    return role


def _set(held: SsoConnection, fields: Mapping[str, object]) -> None:
    for field, value in fields.items():
        setattr(held, field, value)


def _seal(held: SsoConnection, provider: Oidc | Saml) -> bool:
    """Whether there is another secret."""
    if isinstance(provider, Saml) or not provider.client_secret:
        return False
    held.encrypted_client_secret = vault().encrypt(provider.client_secret)
    return True


def _draft(organization: Organization, held: SsoConnection, known: bool) -> None:
    """Another provider's subjects are other people; with another secret they are the same."""
    held.state = State.DRAFT
    held.version += 1
    _require(organization, False)
    if not known:
        SocialAccount.objects.filter(provider=held.id).delete()


def _save(held: SsoConnection) -> None:
    held.updated_at = timezone.now()
    held.save()


def _require(organization: Organization, required: bool) -> None:
    organization.require_sso = required
    organization.save(update_fields=["require_sso"])


def _domains(held: SsoConnection) -> list[str]:
    return sorted(held.domains.values_list("name", flat=True))


def _name_domains(held: SsoConnection, names: Sequence[str]) -> None:
    held.domains.exclude(name__in=names).delete()
    before = set(_domains(held))
    SsoDomain.objects.bulk_create(
        [SsoDomain(name=name, connection=held) for name in names if name not in before]
    )


def _admins(organization: Organization, user_ids: Sequence[str]) -> list[str]:
    """Who can really get in without the provider."""
    admins = Membership.objects.filter(organization=organization, role=Membership.Role.ADMIN)
    found = admins.filter(user_id__in=user_ids, user__is_active=True).select_related("user")
    named = [one.user_id for one in found if one.user.has_usable_password()]
    if not named or len(named) != len(set(user_ids)):
        raise InvalidRequest(
            "break_glass: name at least one admin with a password, who gets in when the provider is away"
        )
    return sorted(named)


def _record(actor: Actor, action: str, held: SsoConnection, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="sso_connection",
        target_id=held.id,
        organization_id=held.organization_id,
        details=details,
    )
