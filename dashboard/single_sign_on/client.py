"""How identity providers are asked: at public addresses only, whatever their names mean by now.

As with webhooks the check sits where connections are made. Hosts that operators named may be anywhere.
"""

from __future__ import annotations

import socket
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError, InvalidSchema, ReadTimeout, RequestException
from urllib3 import HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.connection import create_connection

from admin_api import webhook_addresses
from admin_api.sso_settings import may_be_private

SECONDS = 5.0  # for each step
ALL_SECONDS = 10.0  # for an answer that comes drop by drop
MOST_BYTES = 1_000_000
MOST_ADDRESSES = 3


class ProviderSession(requests.Session):
    """Follows no redirect, reads no endless answer, uses no proxy of the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_adapter(self, url: str | bytes) -> Any:
        address = url.decode() if isinstance(url, bytes) else url
        if may_be_private(address):
            return HTTPAdapter()
        if not address.lower().startswith("https://"):
            raise InvalidSchema("identity providers are asked over https only")
        return _PublicAdapter()

    def request(self, method: str, url: str, **given: Any) -> requests.Response:  # type: ignore[override]
        """Raises `requests.RequestException`."""
        given.update(timeout=SECONDS, allow_redirects=False, stream=True)
        try:
            answer = super().request(method, url, **given)
            with answer:
                _read(answer)
        except (HTTPError, OSError) as problem:
            raise problem if isinstance(problem, RequestException) else ConnectionError(problem) from None
        if answer.is_redirect:
            raise RequestException("the provider answered with a redirect")
        return answer


class _PublicConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        failed: Exception = OSError("the host has no address")
        for address in self._addresses()[:MOST_ADDRESSES]:
            try:
                return create_connection((address, self.port), SECONDS)
            except OSError as problem:
                failed = problem
        raise NewConnectionError(self, str(failed))

    def _addresses(self) -> list[str]:
        try:
            return webhook_addresses.public_addresses(self.host, webhook_addresses.resolve)
        except (OSError, UnicodeError) as problem:  # a `PermissionError` for what is not public
            raise NewConnectionError(self, str(problem)) from None


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = PoolManager()
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}


def _read(answer: requests.Response) -> None:
    """All of it, within bounds."""
    until, parts, length = time.monotonic() + ALL_SECONDS, [], 0
    while part := answer.raw.read1(65_536, decode_content=True):
        parts.append(part)
        length += len(part)
        if length > MOST_BYTES:
            raise RequestException("the provider's answer is too long")
        if time.monotonic() > until:
            raise ReadTimeout("the provider's answer takes too long")
    answer._content = b"".join(parts)
    answer._content_consumed = True
