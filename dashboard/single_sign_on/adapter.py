"""django-allauth's social accounts over `SsoConnection`: no rows of `SocialApp`, and no sign-up of its own."""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.http import HttpRequest

from admin_api.vault import vault
from dashboard.single_sign_on import arrival
from dashboard.single_sign_on.client import ProviderSession
from dashboard.single_sign_on.openid import OpenId
from dashboard.single_sign_on.saml import Saml
from gateway.models import SsoConnection


class SingleSignOn(DefaultSocialAccountAdapter):
    """How allauth behaves here."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """`provider` is the id of a connection, or a kind of allauth's."""
        rows = SsoConnection.objects.select_related("organization")
        if provider is not None and provider not in (OpenId.id, Saml.id):
            rows = rows.filter(id=provider)
        apps = [app_of(row) for row in rows]
        return [
            one
            for one in apps
            if provider in (None, one.provider, one.provider_id) and client_id in (None, one.client_id)
        ]

    def get_provider(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> OpenId | Saml:
        """Raises `SocialApp.DoesNotExist`."""
        return provider_of(request, self.get_app(request, provider, client_id))

    def get_requests_session(self) -> ProviderSession:
        return ProviderSession()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What changed is in the audit log."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Every answer ends here, before allauth would sign anybody in."""
        raise ImmediateHttpResponse(arrival.arrive(request, sociallogin))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: object = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        state = (extra_context or {}).get("state") or {}
        words = str(
            exception or request.GET.get("error") or "the sign-in is not known here, or was used before"
        )
        response = arrival.failed(request, provider.app.connection, words, state.get("data") or {})
        raise ImmediateHttpResponse(response)


def provider_of(request: HttpRequest, app: SocialApp) -> OpenId | Saml:
    kind: type[OpenId] | type[Saml] = OpenId if app.connection.kind == SsoConnection.Kind.OIDC else Saml
    return kind(request, app=app)


def app_of(connection: SsoConnection) -> SocialApp:
    """The connection as allauth knows providers; never saved."""
    oidc = connection.kind == SsoConnection.Kind.OIDC
    app = SocialApp(
        provider=OpenId.id if oidc else Saml.id,
        provider_id=connection.id,
        name=connection.organization.name[:40],
        client_id=connection.client_id if oidc else connection.id,
        secret=vault().decrypt(bytes(connection.encrypted_client_secret)) if oidc else "",
        settings={"oauth_pkce_enabled": True, "server_url": connection.issuer} if oidc else {},
    )
    app.connection = connection
    return app
