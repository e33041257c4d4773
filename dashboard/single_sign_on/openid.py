"""OpenID Connect on django-allauth, with what its own provider takes on trust checked: the ID token's signature, its
nonce and audience, and that the provider is the one that was entered.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import jwt
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from admin_api.actions.sso_members import Identity
from dashboard.single_sign_on.client import ProviderSession

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
LEEWAY = 60  # seconds, for clocks that are not exact
AGAIN_SECONDS = 300  # how old a sign-in may be that was asked for


class OpenIdLogin(OpenIDConnectOAuth2Adapter):
    """One sign-in: what allauth asks of the provider, and what is believed of the answers."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """Raises `OAuth2Error` where the provider is another one, or tells too little."""
        if not hasattr(self, "_checked_config"):
            with ProviderSession() as session:
                answer = session.get(self.get_provider().server_url)
                answer.raise_for_status()
                found = answer.json()
            if not isinstance(found, dict) or found.get("issuer") != self.get_provider().issuer:
                raise OAuth2Error("the provider calls itself by another issuer")
            if not all(str(found.get(name, "")).startswith("http") for name in NEEDED):
                raise OAuth2Error("the provider's configuration lacks addresses")
            self._checked_config = found
        return self._checked_config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return redirect_uri(self.provider_id)

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        return SocialToken(token=str(data["access_token"]))  # used once, and never stored

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        claims = self._claims(app, kwargs["response"].get("id_token"))
        if not claims.get("email") and self.openid_config.get("userinfo_endpoint"):
            claims = {**self._user_info(token, claims["sub"]), **claims}
        login = self.get_provider().sociallogin_from_response(request, {"id_token": claims})
        login.identity = identity_of(claims)
        login.claims = claims
        return login

    def _claims(self, app: SocialApp, id_token: object) -> dict[str, Any]:
        """Of an ID token that this provider signed for us, and not long ago. Raises `OAuth2Error`."""
        if not isinstance(id_token, str):
            raise OAuth2Error("the provider sent no ID token")
        try:
            claims = jwt.decode(
                id_token,
                key=self._key(id_token),
                algorithms=ALGORITHMS,
                issuer=self.get_provider().issuer,
                audience=app.client_id,
                leeway=LEEWAY,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as problem:
            raise OAuth2Error(f"the ID token is not valid: {problem}") from None
        if claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("the ID token is for somebody else")
        return claims

    def _key(self, id_token: str) -> jwt.PyJWK:
        """The provider's key that the token names, or its only one."""
        with ProviderSession() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
            keys = [one for one in jwt.PyJWKSet.from_dict(answer.json()).keys if one.key_type != "oct"]
        name = jwt.get_unverified_header(id_token).get("kid")
        found = [one for one in keys if one.key_id == name] if name else keys
        if len(found) != 1:
            raise OAuth2Error("the ID token names none of the provider's keys")
        return found[0]

    def _user_info(self, token: SocialToken, subject: str) -> dict[str, Any]:
        found = self._fetch_user_info(token.token)
        if not isinstance(found, dict) or found.get("sub") != subject:
            raise OAuth2Error("the provider tells of somebody else")
        return {name: found[name] for name in ("email", "email_verified", "name") if name in found}


class OpenId(OpenIDConnectProvider):
    oauth2_adapter_class = OpenIdLogin

    @property
    def issuer(self) -> str:
        issuer: str = self.app.connection.issuer
        return issuer

    @property
    def server_url(self) -> str:
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def extract_extra_data(self, data: object) -> dict[str, object]:
        """Nothing of it is kept."""
        return {}

    def begin(self, request: HttpRequest, data: dict[str, object], *, again: bool, hint: str) -> HttpResponse:
        nonce = secrets.token_urlsafe(24)
        asked = {"nonce": nonce, **({"login_hint": hint} if hint else {})}
        asked |= {"prompt": "login", "max_age": "0"} if again else {}
        return self.redirect(request, process="login", data={**data, "nonce": nonce}, auth_params=asked)

    def check_answer(self, login: SocialLogin, data: dict[str, Any], *, again: bool) -> None:
        """Raises `OAuth2Error` for an answer to another question."""
        if not secrets.compare_digest(str(login.claims.get("nonce", "")), data["nonce"]):
            raise OAuth2Error("the ID token answers another sign-in")
        if again and not _just_now(login.claims.get("auth_time")):
            raise OAuth2Error("the provider did not ask again who it is")


def redirect_uri(connection_id: str) -> str:
    return f"{settings.CONFIGURATION.base_url}{reverse('sso_openid_callback', args=[connection_id])}"


def identity_of(claims: dict[str, Any]) -> Identity:
    name, verified = claims.get("name"), claims.get("email_verified")
    return Identity(
        subject=str(claims["sub"]),
        email=str(claims.get("email") or ""),
        email_verified=verified is True or verified == "true",
        name=name if isinstance(name, str) else "",
    )


def _just_now(auth_time: object) -> bool:
    return isinstance(auth_time, int) and abs(time.time() - auth_time) < AGAIN_SECONDS
