"""What an identity provider is, as somebody enters it: checked, and as it is stored."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from admin_api.webhook_addresses import checked_address
from gateway.errors import InvalidRequest

LONGEST_CERTIFICATE = 20_000
BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Oidc:
    """`client_secret` is None where the one that is stored stays."""

    issuer: str
    client_id: str
    client_secret: str | None = None

    def checked(self) -> Mapping[str, object]:
        """Raises `InvalidRequest`."""
        if not self.client_id.strip() or len(self.client_id) > 191:
            raise InvalidRequest("client_id: expected 1 to 191 characters")
        issuer = _address("issuer", self.issuer.strip())
        if "?" in issuer or issuer.endswith("/.well-known/openid-configuration"):
            raise InvalidRequest(
                "issuer: expected the issuer alone, such as https://login.example.com/tenant"
            )
        return {"issuer": issuer, "client_id": self.client_id.strip()}


@dataclass(frozen=True)
class Saml:
    entity_id: str
    sso_url: str
    certificate: str

    def checked(self) -> Mapping[str, object]:
        """Raises `InvalidRequest`."""
        if not self.entity_id.strip() or len(self.entity_id) > 1024:
            raise InvalidRequest("entity_id: expected 1 to 1024 characters")
        return {
            "entity_id": self.entity_id.strip(),
            "sso_url": _address("sso_url", self.sso_url.strip()),
            "certificate": _certificate(self.certificate),
        }


def may_be_private(address: str) -> bool:
    """Whether operators allow this host to be anywhere, over http, too: `GATEWAY_SSO_PRIVATE_HOSTS`."""
    return (urlsplit(address).hostname or "") in settings.CONFIGURATION.sso_private_hosts


def _address(field: str, text: str) -> str:
    if urlsplit(text).scheme in ("http", "https") and may_be_private(text):
        return text
    try:
        return checked_address(text)
    except ValueError as problem:
        raise InvalidRequest(f"{field}: {problem}") from None


def _certificate(text: str) -> str:
    """One certificate as PEM, given with or without the lines around it."""
    text = text.strip()
    if len(text) > LONGEST_CERTIFICATE:
        raise InvalidRequest("certificate: that is too long for one certificate")
    pem = text if BEGIN in text else f"{BEGIN}\n{text}\n-----END CERTIFICATE-----\n"
    try:
        return ssl.DER_cert_to_PEM_cert(
            x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
        )
    except (ValueError, UnicodeEncodeError):
        raise InvalidRequest("certificate: expected the provider's signing certificate, as text") from None
