"""Acme with an identity provider, and people who go there and come back."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.test import Client

from admin_api.actions import sso_connections
from admin_api.actor import SYSTEM
from admin_api.sso_settings import Oidc, Saml
from gateway.models import Organization, SsoConnection
from tests import saml_provider
from tests.oidc_provider import Provider
from tests.saml_provider import Answer

DOMAINS = ("acme.example", "example.com")


def openid_connection(organization: Organization, provider: Provider, state: str = "on") -> SsoConnection:
    return _connection(organization, Oidc(provider.url, "gateway", provider.secret), state)


def saml_connection(organization: Organization, state: str = "on") -> SsoConnection:
    certificate = saml_provider.key_pair("idp")[1]
    return _connection(organization, Saml(saml_provider.ENTITY_ID, saml_provider.SSO_URL, certificate), state)


def _connection(organization: Organization, provider: Oidc | Saml, state: str) -> SsoConnection:
    for domain in DOMAINS:
        sso_connections.allow_domain(actor=SYSTEM, organization=organization, domain=domain)
    made = sso_connections.create(
        actor=SYSTEM, organization=organization, provider=provider, domains=DOMAINS, role="developer"
    )
    SsoConnection.objects.filter(pk=made.pk).update(state=state)
    made.refresh_from_db()
    return made


def leave(client: Client, email: str = "new@acme.example", to: str = "/login/sso", **more: str) -> str:
    """The address of the provider that the browser is sent to."""
    page = client.post(to, {"email": email, **more})
    assert page.status_code == 200, page.content
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.content.decode())
    assert found is not None, page.content
    return html.unescape(found[1])


def at_provider(address: str) -> str:
    """Where the provider sends the browser back to: a path of ours. It speaks plain HTTP: no certificates are read."""
    back = urlsplit(httpx.get(address, verify=False).headers["location"])
    return f"{back.path}?{back.query}"


def through_openid(client: Client, email: str = "new@acme.example", **more: str) -> Any:
    """The answer to coming back."""
    return client.get(at_provider(leave(client, email, **more)))


def answer_to(connection: SsoConnection, address: str, **wrong: Any) -> Answer:
    """What the provider answers to the request in this address."""
    request = saml_provider.request_in(address)
    namespaces = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion"}
    audience = request.findtext("saml:Issuer", namespaces=namespaces)
    given: dict[str, Any] = {
        "request_id": request.get("ID"),
        "acs": request.get("AssertionConsumerServiceURL"),
        "audience": audience,
    }
    return Answer(**{**given, **wrong})


def post_answer(client: Client, connection: SsoConnection, encoded: str) -> Any:
    """The provider's page posts it without our cookies; then the browser comes by itself."""
    posted = Client(enforce_csrf_checks=True).post(
        f"/login/sso/{connection.id}/acs", {"SAMLResponse": encoded}
    )
    assert posted.status_code == 303, posted.content
    return client.get(posted["location"])


def through_saml(
    client: Client, connection: SsoConnection, email: str = "new@acme.example", **wrong: Any
) -> Any:
    answer = answer_to(connection, leave(client, email), **{"email": email, **wrong})
    return post_answer(client, connection, answer.encoded())
