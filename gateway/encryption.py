"""Secrets at rest: MultiFernet under `GATEWAY_DATA_ENCRYPTION_KEYS`, the first key encrypts, all decrypt."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Vault:
    """Encrypts and decrypts short secrets, and bytes."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._first = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, token: bytes) -> str:
        """Raises `cryptography.fernet.InvalidToken` when no configured key made this token."""
        return self._fernet.decrypt(bytes(token)).decode()

    def seal(self, content: bytes) -> bytes:
        return self._fernet.encrypt(content)

    def unseal(self, token: bytes) -> bytes:
        """Raises as `decrypt` does."""
        return self._fernet.decrypt(bytes(token))

    def renewed(self, token: bytes) -> bytes | None:
        """The same secret under the first key, or None where it is already. Raises as `decrypt` does."""
        try:
            self._first.decrypt(bytes(token))
        except InvalidToken:
            return self.encrypt(self.decrypt(token))
        return None

    def resealed(self, token: bytes) -> bytes | None:
        """As `renewed`, for bytes."""
        try:
            self._first.decrypt(bytes(token))
        except InvalidToken:
            return self.seal(self.unseal(token))
        return None
