from __future__ import annotations

import pytest
from django.conf import settings
from django.test import RequestFactory

from dashboard.frame.client_address import client_address


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        ([], "198.51.100.7", "203.0.113.1", "198.51.100.7"),
        (["10.0.0.0/8"], "198.51.100.7", "203.0.113.1", "198.51.100.7"),
        (["10.0.0.0/8"], "10.0.0.2", "203.0.113.1", "203.0.113.1"),
        (["10.0.0.0/8"], "10.0.0.2", "1.1.1.1, 203.0.113.1", "203.0.113.1"),
        (["10.0.0.0/8"], "10.0.0.2", "1.1.1.1, 203.0.113.1, 10.0.0.3", "203.0.113.1"),
        (["10.0.0.0/8"], "10.0.0.2", "1.1.1.1, nonsense", "10.0.0.2"),
        (["10.0.0.0/8"], "10.0.0.2", "", "10.0.0.2"),
        (["10.0.0.0/8"], "", "203.0.113.1", "0.0.0.0"),
        (["fd00::/8"], "fd00::1", "2001:db8::5", "2001:db8::5"),
    ],
)
def test_only_what_trusted_proxies_say_counts(
    monkeypatch: pytest.MonkeyPatch, proxies: list[str], peer: str, forwarded: str, address: str
) -> None:
    monkeypatch.setattr(settings.CONFIGURATION, "trusted_proxies", proxies)
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"x-forwarded-for": forwarded})
    assert client_address(request) == address
