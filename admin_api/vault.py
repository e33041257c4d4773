"""The vault under this installation's keys: what is stored in it is read again by whoever has them."""

from __future__ import annotations

from django.conf import settings

from gateway.encryption import Vault


def vault() -> Vault:
    return Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])
