"""Sign-in by address and password on django-allauth: no sign-up, one text for every failure, throttled.

How failures are counted, and who still gets in: `dashboard/sign_in/throttle.py`. What is refused as too much is refused
without looking at the password, whether or not there is such an account.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import LoginForm, ReauthenticateForm
from allauth.core import context
from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from dashboard.frame.client_address import client_address
from dashboard.frame.local_path import is_local
from dashboard.sign_in.throttle import MINUTES, PasswordAttempt
from gateway.models import User

THROTTLED = "too_many_login_attempts"


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
        """Whoever may sign in with this. Inactive people read what everybody else reads."""
        attempt = PasswordAttempt(request, str(credentials.get("email", "")))
        if not attempt.allowed:
            raise self.validation_error(THROTTLED)
        user = authenticate(request, **credentials)
        AuthenticationBackend.unstash_authenticated_user()  # allauth would let inactive people go on
        if user is not None:
            attempt.give_back()
        elif attempt.last_word:
            raise self.validation_error(THROTTLED)
        return user

    def reauthenticate(self, user: User, password: str) -> bool:
        again = self.authenticate(context.request, email=user.email, password=password)
        return again is not None and again.pk == user.pk

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """No "Successfully signed in as": the page that follows says it."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What changed is told by `admin_api/account_notices.py`."""


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

    @property
    def throttled(self) -> bool:
        return self.has_error("password", THROTTLED)
