"""Provider keys at rest: MultiFernet under `GATEWAY_DATA_ENCRYPTION_KEYS`, the first key encrypts, all decrypt."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet


class Vault:
    """Encrypts and decrypts short secrets."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, token: bytes) -> str:
        """Raises `cryptography.fernet.InvalidToken` when no configured key made this token."""
        return self._fernet.decrypt(bytes(token)).decode()
