"""How allauth's second factors behave here: what they hold is sealed, and keys know the gateway by its host."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter

from admin_api.vault import vault

ISSUER = "Gateway"


class SecondFactors(DefaultMFAAdapter):
    error_messages = {  # noqa: RUF012 - allauth's own attribute
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "The code is not right.",
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
        """What changed is told by our own notices."""
