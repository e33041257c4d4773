"""`anthropic-version`; DRF knows it as `request.version`."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.versioning import BaseVersioning

from gateway.errors import InvalidRequest

VERSIONS = ("2023-06-01", "2026-10-21")
DEFAULT_VERSION = VERSIONS[0]


class AnthropicVersion(BaseVersioning):
    """The API version; none is read as 2023-06-01, one that does not exist is refused as on the data plane."""

    def determine_version(self, request: Request, *args: Any, **kwargs: Any) -> str:
        version = request.headers.get("anthropic-version", DEFAULT_VERSION)
        if version not in VERSIONS:
            raise InvalidRequest(f'anthropic-version: "{version[:40]}" is not a valid version')
        return version
