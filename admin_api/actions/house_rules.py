"""What an organization asks of its members' sessions and of who is invited; see `admin_api/house_rules.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import differences, told
from admin_api.networks import check_networks
from admin_api.queries.second_factors import has_second_factor
from gateway.errors import InvalidRequest
from gateway.models import Organization, User
from gateway.models.sessions import TOTAL
from gateway.principal import may_come_from, networks_of

MOST_DOMAINS = 50
MOST_HOURS = TOTAL // 3600
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


@transaction.atomic
def update(
    *,
    actor: Actor,
    organization: Organization,
    admin: User,
    require_second_factor: bool | UnsetType = UNSET,
    invite_domains: Sequence[str] | UnsetType = UNSET,
    dashboard_ips: Sequence[str] | UnsetType = UNSET,
    session_hours: int | UnsetType | None = UNSET,
) -> Organization:
    """Changes what is given and differs. `admin` is who asks: nobody makes a rule that shuts themselves out.

    Raises `InvalidRequest`.
    """
    held = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    wanted: dict[str, object] = {}
    if require_second_factor is not UNSET:
        wanted["require_second_factor"] = _for_all(require_second_factor, admin)
    if invite_domains is not UNSET:
        wanted["invite_domains"] = _domains(invite_domains)
    if dashboard_ips is not UNSET:
        wanted["dashboard_ips"] = _networks(dashboard_ips, actor.ip_address or "")
    if session_hours is not UNSET:
        wanted["session_hours"] = _hours(session_hours)
    changes = differences({field: getattr(held, field) for field in wanted}, wanted)
    if changes:
        _write(held, wanted)
        _record(actor, held, told(changes))
    return held


def _for_all(required: bool, admin: User) -> bool:
    if required and not has_second_factor(admin):
        raise InvalidRequest("require_second_factor: set up a second factor for yourself first")
    return required


def _domains(given: Sequence[str]) -> list[str]:
    if len(given) > MOST_DOMAINS:
        raise InvalidRequest(f"invite_domains: expected at most {MOST_DOMAINS} domains")
    domains = [text.strip().lower().removeprefix("@") for text in given]
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise InvalidRequest(f"invite_domains: {domain[:60]!r} is not a domain such as example.com")
    return list(dict.fromkeys(domains))


def _networks(given: Sequence[str], address: str) -> list[str]:
    try:
        networks = check_networks(given)
    except InvalidRequest as refused:
        raise InvalidRequest(refused.message.replace("allowed_ips", "dashboard_ips", 1)) from None
    if not may_come_from(networks_of(networks), address):
        raise InvalidRequest(f"dashboard_ips: your own address, {address}, is not among them")
    return networks


def _hours(hours: int | None) -> int | None:
    if hours is not None and not 1 <= hours <= MOST_HOURS:
        raise InvalidRequest(f"session_hours: expected 1 to {MOST_HOURS}")
    return hours


def _write(held: Organization, fields: dict[str, object]) -> None:
    for field, value in fields.items():
        setattr(held, field, value)
    held.save(update_fields=list(fields))


def _record(actor: Actor, organization: Organization, details: dict[str, list[str]]) -> None:
    audit.record(
        actor=actor,
        action="organization.house_rules_changed",
        target_type="organization",
        target_id=str(organization.id),
        organization_id=organization.id,
        details=details,
    )
