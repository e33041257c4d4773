"""Headers that decide something: once each, and for one of our hosts."""

from __future__ import annotations

import pytest

from gateway.consumers import headers
from gateway.errors import InvalidRequest

ALLOWED = ("gateway.example.com", "127.0.0.1", "[::1]", ".tenants.example.com")


@pytest.mark.parametrize(
    "host",
    [
        b"gateway.example.com",
        b"GATEWAY.example.com:443",
        b"127.0.0.1:8000",
        b"[::1]:8000",
        b"a.tenants.example.com",
    ],
)
def test_our_own_hosts_are_served(host: bytes) -> None:
    headers.check_host({b"host": host}, ALLOWED)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"evil.example.com",
        b"gateway.example.com.evil.com",
        b"x/#@gateway.example.com",
        b"gateway.example.com:port",
        b"gateway.example.com@evil.com",
        b"gateway.example.com, evil.com",
        b"127.0.0.1.evil.com",
        b"eviltenants.example.com",
        "gäteway.example.com".encode(),
    ],
)
def test_other_hosts_are_not(host: bytes) -> None:
    with pytest.raises(InvalidRequest):
        headers.check_host({b"host": host}, ALLOWED)


@pytest.mark.parametrize(
    "name", [b"host", b"authorization", b"x-api-key", b"anthropic-version", b"content-length"]
)
def test_a_header_that_decides_may_not_come_twice(name: bytes) -> None:
    with pytest.raises(InvalidRequest):
        headers.read([(name, b"one"), (b"accept", b"x"), (name, b"one")])


def test_other_headers_may_come_twice() -> None:
    raw = [(b"anthropic-beta", b"a"), (b"anthropic-beta", b"b")]
    headers.read(raw)
    assert headers.relayed(raw, b"2023-06-01") == (*raw, (b"anthropic-version", b"2023-06-01"))


def test_anthropics_headers_are_an_open_list_less_the_tenants_own() -> None:
    raw = [
        (b"anthropic-version", b"2026-10-21"),
        (b"anthropic-new-thing", b"1"),
        (b"anthropic-workspace-id", b"wrkspc_1"),
        (b"x-api-key", b"secret"),
        (b"authorization", b"Bearer secret"),
        (b"cookie", b"secret"),
    ]
    assert headers.relayed(raw, b"2026-10-21") == (
        (b"anthropic-version", b"2026-10-21"),
        (b"anthropic-new-thing", b"1"),
    )


def test_versions() -> None:
    assert headers.version_of({}) == b"2023-06-01"
    assert headers.version_of({b"anthropic-version": b"2026-10-21"}) == b"2026-10-21"
    with pytest.raises(InvalidRequest) as refused:
        headers.version_of({b"anthropic-version": b"2024-01-01"})
    assert refused.value.message == 'anthropic-version: "2024-01-01" is not a valid version'
