"""The field for a new password; whether it will do is for the action to say."""

from __future__ import annotations

from django import forms
from django.contrib.auth.password_validation import MinimumLengthValidator, get_default_password_validators


class NewPasswordField(forms.CharField):
    def __init__(self) -> None:
        super().__init__(
            label="Password",
            strip=False,
            max_length=1000,
            help_text=f"At least {minimum_length()} characters.",
            widget=forms.PasswordInput({"class": "input", "autocomplete": "new-password"}),
        )


def minimum_length() -> int:
    validators = get_default_password_validators()
    return max((one.min_length for one in validators if isinstance(one, MinimumLengthValidator)), default=1)
