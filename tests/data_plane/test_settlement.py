"""What a request leaves in the ledger: one event each, with the provider's own figures."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.token_usage import TokenUsage
from tests import upstream as provider
from tests.data_plane.house import ALIASES, SCRIPTED, SIMULATED, SPARE, House, body
from tests.upstream import Event, Upstream

FULL = {
    "input_tokens": 11,
    "cache_creation_input_tokens": 50,
    "cache_read_input_tokens": 7_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
    "output_tokens": 13,
    "server_tool_use": {"web_search_requests": 2},
    "service_tier": "priority",
    "inference_geo": "us",
}


@pytest.mark.parametrize("stream", [False, True])
def test_an_event_tells_everything_about_its_request(house: House, upstream: Upstream, stream: bool) -> None:
    tenant = house.tenant()
    answer = (
        provider.streamed(provider.frames(provider.events(usage=FULL)))
        if stream
        else provider.reply(200, provider.message(usage=FULL))
    )
    script = upstream.script(answer)
    named = [("user-agent", "claude-cli/2.1 (external, cli)"), ("x-claude-code-session-id", "session-1")]

    given = house.post(body(ALIASES[0], script, stream=stream), key=tenant.key, headers=named)
    event = house.usage(given.header("request-id"))

    assert event.usage == TokenUsage(11, 7_000, 20, 30, 13)
    assert (str(event.organization_id), event.workspace_id, event.api_key_id) == (
        tenant.id,
        tenant.workspace,
        tenant.key_id,
    )
    assert (event.endpoint, event.model_requested, event.model) == ("messages", ALIASES[0], SCRIPTED)
    assert (event.provider, event.upstream_model) == ("scripted", "upstream-model")
    assert (event.stream, event.status, event.usage_source, event.stop_reason) == (
        stream,
        200,
        "reported",
        "end_turn",
    )
    assert (event.web_search_requests, event.service_tier, event.inference_geo) == (2, "priority", "us")
    assert (event.user_agent, event.session_id) == (named[0][1], named[1][1])
    assert event.price_version is not None
    assert 0 <= event.latency_ms < 5_000
    times = (event.checked_ms, event.admitted_ms, event.time_to_first_token_ms, event.latency_ms)
    assert [*times] == sorted(one for one in times if one is not None)  # all are known, in this order
    assert given.header("anthropic-organization-id") == tenant.id


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, TokenUsage()),
        ({"input_tokens": 5, "output_tokens": 6}, TokenUsage(input_tokens=5, output_tokens=6)),
        (
            {"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": None, "cache_creation": None},
            TokenUsage(input_tokens=5, output_tokens=6),
        ),
        (
            {"input_tokens": 5, "output_tokens": 6, "cache_creation_input_tokens": 9},
            TokenUsage(input_tokens=5, output_tokens=6, cache_write_5m_tokens=9),
        ),
        (
            {"input_tokens": 5, "output_tokens": 6, "from_tomorrow": {"x": 1}},
            TokenUsage(input_tokens=5, output_tokens=6),
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_figures_are_taken_as_they_are(
    house: House, upstream: Upstream, usage: Event, expected: TokenUsage, stream: bool
) -> None:
    answer = (
        provider.streamed(provider.frames(provider.events(usage=usage)))
        if stream
        else provider.reply(200, provider.message(usage=usage))
    )

    given = house.post(body(script=upstream.script(answer), stream=stream))
    event = house.usage(given.header("request-id"))

    assert (event.usage, event.usage_source) == (expected, "reported")


def test_the_last_message_delta_overwrites_what_came_before(house: House, upstream: Upstream) -> None:
    events = provider.events()
    early: dict[str, Any] = {**events[-2], "usage": {"output_tokens": 5}}
    last: dict[str, Any] = {
        **events[-2],
        "usage": {"output_tokens": 9, "input_tokens": 30, "cache_read_input_tokens": 4},
    }
    script = upstream.script(provider.streamed(provider.frames([*events[:-2], early, last, events[-1]])))

    given = house.post(body(script=script, stream=True))

    assert house.usage(given.header("request-id")).usage == TokenUsage(
        input_tokens=30, cache_read_tokens=4, output_tokens=9
    )


@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_an_error_of_the_provider_is_an_event_without_tokens(
    house: House, upstream: Upstream, status: int
) -> None:
    kinds = {400: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
    script = upstream.script(provider.reply(status, provider.error(kinds[status], "No")))

    given = house.post(body(script=script))
    event = house.usage(given.header("request-id"))

    assert (event.status, event.error_type, event.usage) == (status, kinds[status], TokenUsage())


def test_what_is_refused_at_the_door_leaves_no_event(house: House) -> None:
    before = len(house.events())

    refused = [house.post(b"{"), house.post(body("claude-from-nowhere")), house.post(body(), key="nonsense")]
    house.usage(house.post(body()).header("request-id"))

    assert [answer.status for answer in refused] == [400, 404, 401]
    assert len(house.events()) == before + 1


def test_a_simulated_answer_is_settled_like_any_other(house: House) -> None:
    given = house.post(body(SIMULATED[0]))
    event = house.usage(given.header("request-id"))

    usage = given.json["usage"]
    assert (event.provider, event.usage_source) == ("simulator", "reported")
    assert event.usage == TokenUsage(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])


def test_parallel_requests_leave_one_event_each_and_the_sum_is_the_providers(
    house: House, upstream: Upstream
) -> None:
    tenant = house.tenant()
    json_script = upstream.script(provider.reply(200, provider.message(usage=FULL)))
    stream_script = upstream.script(provider.streamed(provider.frames(provider.events(usage=FULL))))
    raws = [
        house.message(
            body(script=stream_script if turn % 2 else json_script, stream=bool(turn % 2)), key=tenant.key
        )
        for turn in range(100)
    ]

    answers = house.ask_all(raws, at_once=16)
    for answer in answers:
        house.usage(answer.header("request-id"))

    events = [event for event in house.events() if event.api_key_id == tenant.key_id]
    assert len({event.attempt_id for event in events}) == len(events) == 100
    assert sum(event.usage.output_tokens for event in events) == 13 * 100
    assert sum(event.usage.cache_read_tokens for event in events) == 7_000 * 100


def test_each_attempt_of_a_fallback_has_a_row_of_its_own(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, provider.message()))

    answer = house.post(body(SPARE, script))
    request_id = answer.header("request-id")
    house.settle_in()
    first, second = sorted(house.events(request_id), key=lambda event: event.attempt)

    assert answer.status == 200
    assert (first.provider, first.status, first.usage.input_tokens) == ("refused", 500, 0)
    assert (second.provider, second.status, second.usage_source) == ("scripted", 200, "reported")
    assert first.attempt_id != second.attempt_id
