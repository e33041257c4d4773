"""Second factors on django-allauth: what they hold is sealed, guesses are counted, and codes work once."""

from __future__ import annotations

import base64
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from django import forms
from django.core import signing
from django.http import HttpRequest

from admin_api.actions import second_factors
from admin_api.actor import Actor
from admin_api.vault import vault
from dashboard.forms.form import Form
from dashboard.frame.client_address import client_address
from dashboard.sign_in.throttle import MINUTES, Attempts
from gateway.models import User
from gateway.request_ids import request_id_of

ISSUER = "Gateway"
THROTTLED = "throttled"
SALT = "dashboard.authenticator-set-up"
SET_UP_SECONDS = 3600


class SecondFactors(DefaultMFAAdapter):
    """How allauth behaves here."""

    error_messages = {  # noqa: RUF012 - allauth's own attribute
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This passkey was not accepted. Try again.",
    }

    def encrypt(self, text: str) -> str:
        return vault().encrypt(text).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return vault().decrypt(encrypted_text.encode())

    def get_totp_issuer(self) -> str:
        return ISSUER

    def _get_site_name(self) -> str:
        return ISSUER

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What changed is told by `admin_api/account_notices.py`."""


class CodeForm(Form):
    """A code of the app, or a recovery code; `used` is what it belonged to. Wrong ones are counted per person."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
        widget=forms.TextInput(
            {
                "autocomplete": "one-time-code",
                "autofocus": True,
                "autocapitalize": "off",
                "spellcheck": "false",
            }
        ),
    )
    used: Authenticator

    def __init__(self, request: HttpRequest, user: User, data: Any = None) -> None:
        super().__init__(data)
        self._request, self._user = request, user

    @property
    def throttled(self) -> bool:
        return self.has_error("code", THROTTLED)

    def clean_code(self) -> str:
        attempts = Attempts(self._request)
        if not attempts.take("code", self._user.pk):
            raise forms.ValidationError(
                f"Too many wrong codes. Wait {MINUTES} minutes and try again.", code=THROTTLED
            )
        code: str = self.cleaned_data["code"]
        used = self._use(code)
        if used is None:
            raise forms.ValidationError("The code is not right, or was used before.")
        used.user = self._user
        self.used = used
        attempts.give_back()
        return code

    def _use(self, code: str) -> Authenticator | None:
        actor = Actor.user(
            self._user, ip_address=client_address(self._request), request_id=request_id_of(self._request)
        )
        return second_factors.use_app_code(self._user, code) or second_factors.use_recovery_code(
            actor=actor, user=self._user, code=code
        )


class PasskeyForm(AuthenticateWebAuthnForm):
    """What a browser's passkey answered to our challenge; `used` is the passkey."""

    @property
    def used(self) -> Authenticator:
        found: Authenticator = self.cleaned_data["credential"]
        return found

    @property
    def throttled(self) -> bool:
        return self.has_error("credential", "too_many_login_attempts")


def set_up_token(user: User, secret: str) -> str:
    """An app's secret on its way through the page that shows it: opening the page changes nothing."""
    return signing.dumps([user.pk, secret], salt=SALT)


def secret_of(user: User, token: str) -> str | None:
    """None for a token of somebody else, or one that is too old."""
    try:
        owner, secret = signing.loads(token, salt=SALT, max_age=SET_UP_SECONDS)
    except (signing.BadSignature, ValueError):
        return None
    return secret if owner == user.pk else None


def picture_of(user: User, secret: str) -> str:
    """The secret as a QR code: the address of an image."""
    adapter = SecondFactors()
    svg = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def grouped(text: str, size: int) -> str:
    """`ABCDEFGH` as `ABCD EFGH`: easier to type."""
    return " ".join(text[start : start + size] for start in range(0, len(text), size))
