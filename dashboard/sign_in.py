"""Sign-in by address and password on django-allauth: no sign-up, one text for every failure, throttled.

Failures are counted per account and per client address (`ACCOUNT_RATE_LIMITS`); the eleventh attempt within 15
minutes is refused without looking at the password, whether or not there is such an account.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import LoginForm, ReauthenticateForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from dashboard.client_address import client_address
from dashboard.local_path import is_local

THROTTLED = "too_many_login_attempts"
MINUTES = 15


class ClosedSignUp(DefaultAccountAdapter):
    """How allauth behaves here."""

    error_messages = {  # noqa: RUF012 - allauth's own attribute
        **DefaultAccountAdapter.error_messages,
        "incorrect_password": "The password is not right.",
        "email_password_mismatch": "The email or the password is not right.",
        THROTTLED: f"Too many failed attempts. Wait {MINUTES} minutes and try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """allauth would also follow links to every allowed host, and so to `http://localhost`."""
        return url is not None and is_local(url)

    def is_ajax(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """allauth hands back inactive users too, to tell them so; here they read what everybody else reads."""
        user = super().authenticate(request, **credentials)
        return user if user is not None and user.is_active else None

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """No "Successfully signed in as": the page that follows says it."""

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """allauth puts the Host header into the key, port and all: every invented port would be ten more guesses.

        Upper case as the database compares addresses, so that no second spelling of an address counts anew.
        """
        return str(credentials.get("email", "")).strip().upper()


class SignInForm(LoginForm):
    """The fields `login` and `password`, labelled Email and Password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        email, password = self.fields["login"], self.fields["password"]
        email.label, password.label = "Email", "Password"
        email.widget.attrs = {"class": "input", "autocomplete": "username", "autofocus": True}
        password.widget.attrs = {"class": "input", "autocomplete": "current-password"}
        password.help_text = ""

    @property
    def throttled(self) -> bool:
        return self.has_error("__all__", THROTTLED)


class PasswordAgainForm(ReauthenticateForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        password = self.fields["password"]
        password.widget.attrs = {"class": "input", "autocomplete": "current-password", "autofocus": True}
        password.help_text = ""
