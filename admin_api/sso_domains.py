"""Which domains an organization may name for single sign-on: whoever has a domain signs in as its people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.errors import InvalidRequest
from gateway.models import Membership, Organization, SsoConnection, SsoDomain

MOST = 20
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
# Where anybody gets an address: nobody's people.
PUBLIC = frozenset(
    [
        "126.com",
        "163.com",
        "aol.com",
        "btinternet.com",
        "comcast.net",
        "duck.com",
        "fastmail.com",
        "free.fr",
        "freenet.de",
        "gmail.com",
        "gmx.at",
        "gmx.ch",
        "gmx.com",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hey.com",
        "hotmail.co.uk",
        "hotmail.com",
        "hotmail.fr",
        "icloud.com",
        "laposte.net",
        "libero.it",
        "live.com",
        "mac.com",
        "mail.com",
        "mail.ru",
        "me.com",
        "msn.com",
        "naver.com",
        "orange.fr",
        "outlook.com",
        "outlook.de",
        "pm.me",
        "posteo.de",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "rediffmail.com",
        "rocketmail.com",
        "sina.com",
        "t-online.de",
        "tuta.com",
        "tutanota.com",
        "verizon.net",
        "web.de",
        "yahoo.co.jp",
        "yahoo.co.uk",
        "yahoo.com",
        "yahoo.de",
        "yahoo.fr",
        "yandex.com",
        "yandex.ru",
        "ymail.com",
        "zoho.com",
    ]
)


def checked_domains(
    organization: Organization, given: Sequence[str], connection: SsoConnection | None
) -> list[str]:
    """As they are stored. Raises `InvalidRequest` for one that the organization may not name."""
    domains = list(dict.fromkeys(text.strip().lower().removeprefix("@") for text in given))
    if not 1 <= len(domains) <= MOST:
        raise InvalidRequest(f"domains: expected 1 to {MOST} domains, such as example.com")
    allowed = {*organization.sso_domains, *_proven(organization)}
    for domain in domains:
        _check(domain, allowed)
    taken = SsoDomain.objects.filter(name__in=domains).exclude(connection=connection).first()
    if taken is not None:
        raise InvalidRequest(f"domains: {taken.name} is used by another organization; ask your operator")
    return domains


def checked_domain(text: str) -> str:
    """One, as it is stored, of whoever. Raises `InvalidRequest`."""
    domain = text.strip().lower().removeprefix("@")
    if not DOMAIN.fullmatch(domain):
        raise InvalidRequest(f"domains: {domain[:60]!r} is not a domain such as example.com")
    if domain in PUBLIC:
        raise InvalidRequest(f"domains: anybody can have an address at {domain}")
    return domain


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].strip().lower()


def _check(domain: str, allowed: set[str]) -> None:
    checked_domain(domain)
    if domain not in allowed:
        raise InvalidRequest(
            f"domains: no admin of this organization has a confirmed address at {domain}. Confirm yours under "
            "Settings, Security, or ask your operator to allow the domain"
        )


def _proven(organization: Organization) -> set[str]:
    """Of addresses that admins have shown to be theirs."""
    admins = Membership.objects.filter(
        organization=organization, role=Membership.Role.ADMIN, user__email_verified_at__isnull=False
    )
    return {domain_of(email) for email in admins.values_list("user__email", flat=True)}
