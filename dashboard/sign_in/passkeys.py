"""What a browser is asked for when a passkey is made or used. The challenge waits in the session."""

from __future__ import annotations

from allauth.mfa.webauthn.internal import auth
from django import forms
from django.core.exceptions import ValidationError
from fido2.webauthn import ResidentKeyRequirement, UserVerificationRequirement

from dashboard.forms.form import Form
from gateway.models import User


def creation_options(user: User) -> dict[str, object]:
    """For `navigator.credentials.create`. One that can also sign in by itself is preferred."""
    options, state = auth.get_server().register_begin(
        user=auth.build_user_payload(user),
        credentials=auth.get_credentials(user),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    auth.set_state(state)
    return dict(options)


def request_options(user: User | None) -> dict[str, object]:
    """For `navigator.credentials.get`; without a user it stands for password and second factor both."""
    found: dict[str, object] = auth.begin_authentication(user)
    return found


class NewPasskeyForm(Form):
    name = forms.CharField(
        label="Name", max_length=100, help_text="How you will know it again, such as Phone or Blue key."
    )
    credential = forms.JSONField(widget=forms.HiddenInput)

    def clean_credential(self) -> dict[str, object]:
        credential: dict[str, object] = self.cleaned_data["credential"]
        try:
            auth.parse_registration_response(credential)
            auth.complete_registration(credential)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValidationError("Your browser's answer was not accepted. Try again.") from None
        return credential
