"""What decides is the path that is served: no Host, spelling, doubled or lookalike header changes who may do what."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import JSON, VERSION, body
from tests.outages.site import Site

BAD_HOSTS = [
    "x/#@y",
    "evil.example",
    "evil.example:8000",
    "127.0.0.1@evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1/evil",
    "127.0.0.1#evil",
    "127.0.0.1?evil",
    "127.0.0.1:80:80",
    "127.0.0.1:port",
    "127.0.0.1,evil.example",
    "127.0.0.1 evil.example",
    "127.0.0.1.evil.example",
    "evil.127.0.0.1",
    "localhost.evil.example",
    "http://127.0.0.1",
    "[::1",
    "[::1]evil",
    "[evil]",
    "%31%32%37.0.0.1",
    "127.0.0.1%00",
    "*",
    ".",
    "",
]
ROUTES = [
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/v1/models"),
    ("GET", "/v1/nothing"),
    ("GET", "/"),
    ("GET", "/nothing"),
]


def test_a_bad_host_is_refused_on_every_route(site: Site) -> None:
    wrong = []
    for host in BAD_HOSTS:
        for method, path in ROUTES:
            status = _status(site, method, path, [("x-api-key", site.house.key), ("Host", host)])
            if status != 400:
                wrong.append((host, method, path, status))

    print(f"\n{len(BAD_HOSTS) * len(ROUTES)} requests with a bad host, {len(wrong)} not refused")
    assert wrong == []


@pytest.mark.parametrize("second", ["127.0.0.1", "evil.example"])
def test_two_hosts_are_refused_on_every_route(site: Site, second: str) -> None:
    both = [("x-api-key", site.house.key), ("Host", "127.0.0.1"), ("Host", second)]

    assert {route: _status(site, *route, both) for route in ROUTES} == dict.fromkeys(ROUTES, 400)


def test_no_host_at_all_is_refused_by_the_data_plane(site: Site) -> None:
    statuses = {}
    for method, path in ROUTES[:4]:
        raw = f"{method} {path} HTTP/1.1\r\nx-api-key: {site.house.key}\r\nContent-Length: 0\r\n\r\n"
        statuses[method, path] = _answer(site, raw.encode())

    assert statuses == dict.fromkeys(ROUTES[:4], 400)


SPELLINGS = [
    "/v1/messages",
    "/v1/v1/messages",
    "/v1/messages?beta=true",
    "//v1/messages",
    "/v1//messages",
    "/v1/./messages",
    "/./v1/messages",
    "/v1/../v1/messages",
    "/healthz/../v1/messages",
    "/v1/messages/",
    "/v1/messages/.",
    "/v1/messages;a=b",
    "/v1;/messages",
    "/v1/messages%20",
    "/v1/messages%00",
    "/v1/messages%0a",
    "/v1/messages%2e",
    "/v1/%2e/messages",
    "/%2e/v1/messages",
    "/%76%31/messages",
    "/v1%2fmessages",
    "/v1%252fmessages",
    "/v1/%6dessages",
    "/V1/messages",
    "/v1/Messages",
    "/v1\\messages",
    "/v1/messages#x",
    "/v1/messages\x7f",
    "/api/v1/messages",
    "http://127.0.0.1/v1/messages",
    "http://evil.example/v1/messages",
    "https://127.0.0.1:1/v1/messages",
    "/v1/messages/batches",
    "*",
]


def test_no_spelling_and_no_lookalike_header_lets_anybody_in(site: Site) -> None:
    key = site.house.key
    other = site.house.tenant().key
    ways: list[list[tuple[str, str]]] = [
        [],
        [("X_Api_Key", key)],
        [("x.api.key", key)],
        [("X-Api_Key", key)],
        [("api-key", key)],
        [("Cookie", f"x-api-key={key}")],
        [("Proxy-Authorization", f"Bearer {key}")],
        [("Authorization", key)],
        [("Authorization", f"Basic {key}")],
        [("X-Forwarded-Authorization", f"Bearer {key}")],
        [("x-api-key", key), ("x-api-key", other)],
        [("x-api-key", key), ("x-api-key", key)],
        [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {other}")],
        [("x-api-key", key), ("Authorization", f"Bearer {other}")],
        [("x-api-key", f"{key},{other}")],
        [("X-Original-URL", "/healthz"), ("X-Rewrite-URL", "/healthz")],
        [("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method", "HEAD"), ("X-Method-Override", "GET")],
        [("X-Forwarded-User", "admin"), ("Remote-User", "admin"), ("X-Forwarded-For", "127.0.0.1")],
    ]
    script = site.house.upstream.script(provider.reply(200, provider.message()))
    raw = json.dumps(body(script=script)).encode()
    let_in = []
    for target in [*SPELLINGS, f"/v1/messages?x-api-key={key}&api_key={key}"]:
        for way in ways:
            status = _status(site, "POST", target, way, raw)
            if status is not None and not 400 <= status < 500:
                let_in.append((target, [name for name, _ in way], status))

    print(
        f"\n{(len(SPELLINGS) + 1) * len(ways)} requests without a usable key, {len(let_in)} let in or failed"
    )
    assert let_in == []
    assert site.house.upstream.received(script) == []


def test_headers_that_would_override_method_or_path_change_nothing(site: Site) -> None:
    overriding = [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "GET"),
        ("X-Method-Override", "GET"),
        ("X-Original-URL", "/v1/models"),
        ("X-Rewrite-URL", "/v1/models"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example"),
        ("X_Forwarded_For", "10.0.0.1"),
        ("Script_Name", "/evil"),
    ]
    key = ("x-api-key", site.house.key)
    for method, path in [*ROUTES, ("POST", "/v1/models"), ("GET", "/v1/messages")]:
        plain = _status(site, method, path, [key], b"{}")
        for header in overriding:
            assert _status(site, method, path, [key, header], b"{}") == plain, (method, path, header)


def test_links_and_redirects_never_name_the_callers_host(site: Site) -> None:
    for path in ("/", "/login", "/sign-in", "/password-reset", "/quickstart"):
        headers = [("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example")]
        answer = site.house.ask(wire.request("GET", path, headers))
        assert b"evil.example" not in answer.body
        assert not [value for _, value in answer.headers if "evil.example" in value]


def _status(
    site: Site, method: str, path: str, headers: list[tuple[str, str]], raw: bytes = b"{}"
) -> int | None:
    given = raw if method == "POST" else b""
    return _answer(site, wire.request(method, path, [VERSION, JSON, *headers], given))


def _answer(site: Site, raw: bytes) -> int | None:
    """The status; None when the connection was closed without one."""
    try:
        return asyncio.run(wire.ask(site.house.port, raw, 5)).status
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
