"""An error answer of a provider that a client of the same dialect gets as it came."""

from __future__ import annotations

from gateway.errors import GatewayError


class ProviderError(GatewayError):
    """`body` is the provider's, in `dialect`; to clients that speak otherwise `type` and `message` are told."""

    def __init__(
        self,
        status: int,
        body: bytes,
        error_type: str,
        message: str,
        headers: dict[str, str],
        *,
        dialect: str,
    ) -> None:
        super().__init__(message or f"The provider answered with status {status}.", headers=headers)
        self.status = status  # type: ignore[misc]
        self.type = error_type  # type: ignore[misc]
        self.body = body
        self.dialect = dialect
