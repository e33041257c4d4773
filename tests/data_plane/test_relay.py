"""What goes to a provider of the Anthropic dialect and what comes back: the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import upstream as provider
from tests.data_plane.house import ALIASES, JSON, PROVIDER_KEY, SCRIPTED, SPARE, House, body
from tests.upstream import Upstream

TRANSCRIPTS = sorted((Path(__file__).resolve().parents[1] / "transcripts").glob("*.sse"))

ODD_BODIES = [
    # order, unknown fields and white space
    b'{"messages" :[{"content":"S", "role":"user"}],\r\n\t"max_tokens":5 , '
    b'"model": "claude-scripted", "zz":{"b":1,"a":2}}',
    # numbers that no parser may touch
    b'{"model":"claude-scripted","max_tokens":5,"messages":[{"role":"user","content":"S"}],'
    b'"big":123456789012345678901234567890,"huge":1e400,"tiny":0.10,"minus":-0,"exp":1E+2}',
    # escapes here, raw characters there
    b'{"model":"claude-scripted","max_tokens":5,"messages":[{"role":"user",'
    b'"content":"S \\u00e9 \xc3\xa9 \\/ / \\ud83e\\udd4a \xf0\x9f\xa5\x8a \xe2\x80\xa8"}]}',
    # repeated keys below the top level
    b'{"model":"claude-scripted","max_tokens":5,"messages":[{"role":"user","content":"S"}],"metadata":{"a":1,"a":2}}',
    # the model's name elsewhere, too
    b'{"metadata":{"model":"claude-scripted"},"system":"\\"model\\":\\"claude-scripted\\"",'
    b'"model":"claude-scripted","max_tokens":5,'
    b'"messages":[{"role":"user","content":"S \\"model\\": \\"claude-scripted\\""}]}',
]


@pytest.mark.parametrize(
    "odd", ODD_BODIES, ids=["order", "numbers", "unicode", "repeated", "model elsewhere"]
)
def test_the_body_reaches_the_provider_byte_for_byte_save_the_model_name(
    house: House, upstream: Upstream, odd: bytes
) -> None:
    name = upstream.script(provider.reply(200, provider.message()))
    sent = odd.replace(b'"S', b'"' + name.encode(), 1)

    answer = house.post(sent)
    (received,) = upstream.received(name)

    assert answer.status == 200
    at = _top_level_model(sent)
    assert received.body == sent[:at] + b'"upstream-model"' + sent[at + len(b'"claude-scripted"') :]


NAMES = [SCRIPTED, *ALIASES, f"scripted/{SCRIPTED}", f"{SCRIPTED}-20250929", f"scripted/{ALIASES[0]}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_asked_for_by_any_of_its_names_and_renamed_by_its_route(
    house: House, upstream: Upstream, name: str
) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    answer = house.post(body(name, script))
    (received,) = upstream.received(script)

    assert (answer.status, received.json["model"]) == (200, "upstream-model")


def test_through_a_named_provider_no_other_one_is_tried(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    answer = house.post(body(f"scripted/{SPARE}", script))

    event = house.usage(answer.header("request-id"))
    assert (event.model, event.provider, event.attempt) == (SPARE, "scripted", 1)


def test_the_path_and_the_query_string_are_passed_on(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    house.post(body(script=script), path="/v1/messages?beta=true&x=%C3%A9&x=2")
    (received,) = upstream.received(script)

    assert (received.method, received.target) == ("POST", "/v1/messages?beta=true&x=%C3%A9&x=2")


def test_anthropic_headers_are_passed_on_as_an_open_list(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))
    given = [
        ("anthropic-beta", "interleaved-thinking-2025-05-14,a-beta-of-tomorrow"),
        ("anthropic-user-profile-id", "profile_1"),
        ("anthropic-something-new", "yes"),
        ("anthropic-dangerous-direct-browser-access", "true"),
    ]

    house.post(body(script=script), headers=given)
    (received,) = upstream.received(script)

    assert [(name, received.header(name)) for name, _ in given] == given
    assert received.header("anthropic-version") == "2023-06-01"
    assert received.header("content-type") == "application/json"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_the_callers_version_is_passed_on(house: House, upstream: Upstream, version: str) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    answer = house.post(body(script=script), usual=[("anthropic-version", version), JSON])
    (received,) = upstream.received(script)

    assert (answer.status, received.header("anthropic-version")) == (200, version)


def test_without_a_version_the_oldest_is_meant(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    answer = house.post(body(script=script), usual=[JSON])
    (received,) = upstream.received(script)

    assert (answer.status, received.header("anthropic-version")) == (200, "2023-06-01")


@pytest.mark.parametrize("how", ["x-api-key", "bearer", "both"])
def test_the_tenants_credential_never_leaves_and_the_providers_is_sent(
    house: House, upstream: Upstream, how: str
) -> None:
    script = upstream.script(provider.reply(200, provider.message()))
    credentials = {
        "x-api-key": [("x-api-key", house.key)],
        "bearer": [("authorization", f"Bearer {house.key}")],
        "both": [("X-Api-Key", house.key), ("Authorization", f"Bearer {house.key}")],
    }

    answer = house.post(
        body(script=script),
        key="",
        headers=[*credentials[how], ("cookie", f"k={house.key}"), ("x-other", house.key)],
    )
    (received,) = upstream.received(script)

    assert answer.status == 200
    assert received.header("x-api-key") == PROVIDER_KEY
    assert received.header("authorization") is None
    assert house.key not in str(received.headers) + received.target


def test_the_tenants_workspace_header_stays_here(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))
    workspace = house.office.wish("workspace", organization="Acme", name="Research")["id"]
    house.settle_in()

    answer = house.post(body(script=script), headers=[("anthropic-workspace-id", workspace)])
    (received,) = upstream.received(script)

    assert answer.status == 200
    assert received.header("anthropic-workspace-id") is None
    assert house.usage(answer.header("request-id")).workspace_id == workspace


def test_hop_headers_and_proxy_headers_are_not_passed_on(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))
    mine = [("x-forwarded-for", "10.1.2.3"), ("te", "trailers"), ("proxy-authorization", "Basic eDp5")]

    house.post(body(script=script), headers=mine)
    (received,) = upstream.received(script)

    assert [received.header(name) for name, _ in mine] == [None, None, None]
    assert received.header("host") == upstream.base_url.removeprefix("http://")


def test_a_json_answer_comes_back_byte_for_byte_with_headers_of_our_own(
    house: House, upstream: Upstream
) -> None:
    raw = (
        json.dumps(provider.message("\u2028 é"), indent=3)
        .encode()
        .replace(b'"end_turn"', b'"end_\\u0074urn"')
    )
    script = upstream.script(provider.reply(200, raw))

    answer = house.post(body(script=script))

    assert (answer.status, answer.body) == (200, raw)
    _assert_headers_are_ours(answer.headers)
    assert (answer.header("content-type") or "").startswith("application/json")


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_recorded_stream_comes_back_byte_for_byte(house: House, upstream: Upstream, path: Path) -> None:
    recorded = path.read_bytes()
    pieces = [recorded[at : at + 37] for at in range(0, len(recorded), 37)]
    script = upstream.script(provider.streamed(pieces))

    answer = house.post(body(script=script, stream=True))

    assert (answer.status, answer.body, answer.complete) == (200, recorded, True)
    _assert_headers_are_ours(answer.headers)
    assert (answer.header("content-type") or "").startswith("text/event-stream")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_error_body_comes_back_unchanged(
    house: House, upstream: Upstream, status: int, kind: str, stream: bool
) -> None:
    raw = json.dumps(provider.error(kind, "max_tokens: 9 > 8, which is é"), indent=1).encode()
    script = upstream.script(provider.reply(status, raw))

    answer = house.post(body(script=script, stream=stream))

    assert (answer.status, answer.body) == (status, raw)
    _assert_headers_are_ours(answer.headers)


def test_a_providers_429_keeps_its_retry_after_and_loses_its_limits(house: House, upstream: Upstream) -> None:
    raw = json.dumps(provider.error("rate_limit_error", "Number of requests has exceeded ...")).encode()
    script = upstream.script(provider.reply(429, raw, ("retry-after", "17")))

    answer = house.post(body(script=script))

    assert (answer.status, answer.body, answer.header("retry-after")) == (429, raw, "17")
    _assert_headers_are_ours(answer.headers)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication_error"), (402, "billing_error"), (403, "permission_error")],
)
def test_trouble_with_the_providers_key_is_not_the_tenants(
    house: House, upstream: Upstream, status: int, kind: str, stream: bool
) -> None:
    script = upstream.script(
        provider.reply(status, provider.error(kind, f"invalid x-api-key {PROVIDER_KEY}"))
    )

    answer = house.post(body(script=script, stream=stream))

    assert answer.status >= 500
    assert answer.json["error"]["type"] == "api_error"
    assert answer.json["request_id"] == answer.header("request-id")
    assert PROVIDER_KEY.encode() not in answer.body
    assert b"x-api-key" not in answer.body
    _assert_headers_are_ours(answer.headers)


def test_trouble_with_the_providers_key_is_logged_loudly_without_the_key(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(provider.reply(401, provider.error("authentication_error", "invalid x-api-key")))

    answer = house.post(body(script=script))

    lines = [
        json.loads(line) for line in house.gateway.log.read_bytes().splitlines() if line.startswith(b"{")
    ]
    about = [line for line in lines if line.get("request_id") == answer.header("request-id")]
    assert [line["level"] for line in about if line["level"] in ("error", "critical")], about
    assert PROVIDER_KEY not in json.dumps(lines)


def test_an_events_stream_with_unknown_events_and_fields_is_relayed_as_it_is(
    house: House, upstream: Upstream
) -> None:
    first, *rest = provider.frames()
    odd = b'event: message_thought\ndata: {"type":"message_thought","deep":1e400}\n\n: a comment\n\n'
    script = upstream.script(provider.streamed([first, odd, *rest]))

    answer = house.post(body(script=script, stream=True))

    assert answer.body == b"".join([first, odd, *rest])


def _top_level_model(raw: bytes) -> int:
    """Where the value of the top-level key `model` stands in the bodies above."""
    for spelling in (b'"model": "claude-scripted", "zz"', b'"model":"claude-scripted","max_tokens"'):
        if spelling in raw:
            return raw.index(b'"claude-scripted"', raw.index(spelling))
    raise AssertionError(raw)


def _assert_headers_are_ours(headers: list[tuple[str, str]]) -> None:
    given = dict(headers)
    assert given["request-id"].startswith("req_") and given["request-id"] != "req_of_the_provider"
    assert len(given["anthropic-organization-id"]) == 36
    limits = [name for name in given if name.startswith(("anthropic-ratelimit-", "anthropic-priority-"))]
    values = [given[name] for name in limits]
    assert not {"4000", "3999", "123456", "777", "2030-01-01T00:00:00Z", "allowed"} & set(values), given
    assert "set-cookie" not in given
    assert "x-envoy-upstream-service-time" not in given
