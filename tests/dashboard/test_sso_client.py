"""How identity providers are asked: to public addresses only, at the moment of the connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from admin_api import webhook_addresses
from dashboard.single_sign_on import client
from dashboard.single_sign_on.client import ProviderSession
from tests.oidc_provider import Provider


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[str]]]:
    """A port of this machine; who connected."""
    seen: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                seen.append(address[0])
                with connection:
                    connection.recv(4096)
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], seen
        finally:
            over.set()
            thread.join()


def say(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
def test_nothing_connects_to_what_is_not_public(host: str) -> None:
    with listening(say(b"")) as (port, seen), pytest.raises(requests.RequestException):
        ProviderSession().get(f"https://{host}:{port}/")
    assert seen == []


def test_a_name_that_means_something_private_by_now_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening(say(b"")) as (port, seen):
        for addresses in (
            ["127.0.0.1"],
            ["1.1.1.1", "127.0.0.1"],
            ["169.254.169.254"],
            ["::ffff:10.0.0.1"],
            [],
        ):
            monkeypatch.setattr(webhook_addresses, "resolve", lambda host, found=addresses: found)
            with pytest.raises(requests.RequestException):
                ProviderSession().get(f"https://login.example.com:{port}/")
    assert seen == []


def test_http_is_for_hosts_that_an_operator_named(openid_provider: Provider, settings: Any) -> None:
    assert ProviderSession().get(f"{openid_provider.url}/keys").json()["keys"]
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"sso_private_hosts": []})
    with pytest.raises(requests.RequestException, match="https only"):
        ProviderSession().get(f"{openid_provider.url}/keys")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "redirect"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_100_000, "too long"),
    ],
)
def test_redirects_are_not_followed_and_long_answers_not_read(
    openid_provider: Provider, answer: bytes, words: str
) -> None:
    with listening(say(answer)) as (port, seen), pytest.raises(requests.RequestException, match=words):
        ProviderSession().get(f"http://127.0.0.1:{port}/")
    assert len(seen) == 1


def test_an_answer_that_comes_drop_by_drop_is_not_waited_for(
    openid_provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ALL_SECONDS", 0.3)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(30):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            threading.Event().wait(0.05)

    with listening(drip) as (port, _), pytest.raises(requests.RequestException, match="too long"):
        ProviderSession().get(f"http://127.0.0.1:{port}/")
