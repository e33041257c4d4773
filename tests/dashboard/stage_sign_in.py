"""People of the stage whose sign-in tests change, and an organization with endpoints that were told of something."""

from __future__ import annotations

from admin_api.actions import organizations, sso_connections, webhook_endpoints
from admin_api.actor import SYSTEM
from admin_api.sso_settings import Saml
from admin_api.webhook_events import TYPES
from gateway.models import Organization, WebhookDelivery, WebhookEndpoint
from tests import people
from tests.people import Cast
from tests.saml_provider import key_pair


def made(cast: Cast) -> dict[str, str]:
    """Tess sets up an app, Pia a passkey, Wim looks at webhooks; all of Hooli, where Tess and Wim are admins.

    Rob has yet to set up what Initrode asks for. Sia runs an organization that has no identity provider, Sol and Tom
    ones that get one in a test, Sam one with SAML that requires it, where Sid has only a password.
    """
    initrode = organizations.create(actor=SYSTEM, name="Initrode", tier=cast.acme.tier)
    Organization.objects.filter(pk=initrode.pk).update(require_second_factor=True)
    people.person("Rob", initrode, "developer")
    hooli = organizations.create(actor=SYSTEM, name="Hooli", tier=cast.acme.tier)
    people.person("Tess", hooli, "admin")
    people.person("Pia", hooli, "developer")
    people.person("Wim", hooli, "admin")
    _with_providers(cast)
    told = webhook_endpoints.create(
        actor=SYSTEM,
        organization=hooli,
        url="https://1.1.1.1/hooks",
        name="Pager of the night shift",
        enabled_events=TYPES,
    )[0]
    long = f"https://1.1.1.1/{'a-very-long-path/' * 8}"
    webhook_endpoints.create(actor=SYSTEM, organization=hooli, url=long, enabled_events=TYPES[:1])
    for state in ("delivered", "failed"):
        sent = webhook_endpoints.test(actor=SYSTEM, endpoint=told)
        WebhookDelivery.objects.filter(pk=sent.pk).update(
            state=state, last_error="the endpoint answered 500" if state == "failed" else ""
        )
    return {"webhook": told.id}


def _with_providers(cast: Cast) -> None:
    raviga = organizations.create(actor=SYSTEM, name="Raviga", tier=cast.acme.tier)
    people.person("Sia", raviga, "admin")
    endframe = organizations.create(actor=SYSTEM, name="Endframe", tier=cast.acme.tier)
    people.person("Sol", endframe, "admin")
    sso_connections.allow_domain(actor=SYSTEM, organization=endframe, domain="acme.example")
    bachmanity = organizations.create(actor=SYSTEM, name="Bachmanity", tier=cast.acme.tier)
    people.person("Tom", bachmanity, "admin")
    sso_connections.allow_domain(actor=SYSTEM, organization=bachmanity, domain="bachmanity.example")
    aviato = organizations.create(actor=SYSTEM, name="Aviato", tier=cast.acme.tier)
    sam = people.person("Sam", aviato, "admin")
    people.person("Sid", aviato, "developer")
    sso_connections.allow_domain(actor=SYSTEM, organization=aviato, domain="aviato.example")
    made = sso_connections.create(
        actor=SYSTEM,
        organization=aviato,
        provider=Saml("https://idp.example/saml", "https://1.1.1.1/saml", key_pair("idp")[1]),
        domains=["aviato.example"],
        role="developer",
    )
    sso_connections.note_test(actor=SYSTEM, connection=made, version=made.version)
    sso_connections.turn_on(actor=SYSTEM, connection=made)
    sso_connections.require(actor=SYSTEM, connection=made, break_glass=[sam.id])


def endpoint(organization: Organization, url: str, name: str = "") -> WebhookEndpoint:
    return webhook_endpoints.create(
        actor=SYSTEM, organization=organization, url=url, name=name, enabled_events=TYPES
    )[0]
