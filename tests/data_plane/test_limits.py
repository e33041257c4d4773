"""Limits as clients meet them: the status, the named limit, the headers; exact under parallel load."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter

import pytest

from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import Gateway, House, body
from tests.data_plane.wire import Answer, Wire
from tests.outages.site import until
from tests.upstream import LAST_CHUNK, Pause, Send, Upstream, chunk, stream_head

CHEAP = {"model": "claude-scripted", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}


def test_the_51st_request_in_a_minute_on_tier_basic_is_refused(house: House, upstream: Upstream) -> None:
    tenant = house.tenant("basic")
    reached = len(upstream.log)

    answers = house.ask_all([house.message(CHEAP, key=tenant.key)] * 51, at_once=4)

    assert Counter(answer.status for answer in answers) == {200: 50, 429: 1}
    (refused,) = [answer for answer in answers if answer.status == 429]
    _assert_limited(refused, "50 requests per minute", "requests")
    assert len(upstream.log) == reached + 50


def test_every_answer_carries_the_tenants_own_limits(house: House) -> None:
    tenant = house.tenant("basic")

    for answer in (house.post(CHEAP, key=tenant.key), house.post({**CHEAP, "stream": True}, key=tenant.key)):
        assert answer.header("anthropic-ratelimit-requests-limit") == "50"
        assert answer.header("anthropic-ratelimit-tokens-limit") == "100000"
        assert 40 <= int(answer.header("anthropic-ratelimit-requests-remaining") or -1) < 50
        assert 90_000 <= int(answer.header("anthropic-ratelimit-tokens-remaining") or -1) <= 100_000
        for name in ("requests", "tokens"):
            _assert_reset(answer.header(f"anthropic-ratelimit-{name}-reset"))
        assert answer.header("anthropic-ratelimit-input-tokens-limit") is None


def test_input_and_output_limits_have_headers_where_they_are_set(house: House) -> None:
    limits = {"input_tokens_per_minute": 7_000, "output_tokens_per_minute": 3_000}
    tenant = house.tenant(limits=limits)

    answer = house.post(CHEAP, key=tenant.key)

    for name, limit in (("input-tokens", "7000"), ("output-tokens", "3000")):
        assert answer.header(f"anthropic-ratelimit-{name}-limit") == limit
        assert 0 <= int(answer.header(f"anthropic-ratelimit-{name}-remaining") or -1) <= int(limit)
        _assert_reset(answer.header(f"anthropic-ratelimit-{name}-reset"))


def test_a_tenant_without_limits_has_no_limit_headers(house: House) -> None:
    answer = house.post(CHEAP)

    assert [name for name, _ in answer.headers if name.startswith("anthropic-ratelimit-")] == []


@pytest.mark.parametrize(
    ("limit", "spent", "named", "group"),
    [
        ("tokens_per_minute", (900, 600), "1,000 tokens per minute", "tokens"),
        ("input_tokens_per_minute", (1_500, 9_000), "1,000 input tokens per minute", "input-tokens"),
        ("output_tokens_per_minute", (9_000, 1_500), "1,000 output tokens per minute", "output-tokens"),
    ],
)
def test_tokens_that_were_used_are_off_the_limit_until_it_refills(
    house: House, upstream: Upstream, limit: str, spent: tuple[int, int], named: str, group: str
) -> None:
    tenant = house.tenant(limits={limit: 1_000})
    usage = {**provider.USAGE, "input_tokens": spent[0], "output_tokens": spent[1]}
    script = upstream.script(provider.reply(200, provider.message(usage=usage)))

    first = house.post(body(script=script), key=tenant.key)
    house.usage(first.header("request-id"))
    second = house.post(CHEAP, key=tenant.key)

    assert first.status == 200
    _assert_limited(second, named, group)
    assert 20 <= int(second.header("retry-after") or 0) <= 60  # a debt of 500 at 1,000 a minute


def test_cache_reads_are_not_counted(house: House, upstream: Upstream) -> None:
    tenant = house.tenant(limits={"tokens_per_minute": 1_000})
    spent = {**provider.USAGE, "input_tokens": 10, "cache_read_input_tokens": 90_000}
    script = upstream.script(provider.reply(200, provider.message(usage=spent)))

    first = house.post(body(script=script), key=tenant.key)
    house.usage(first.header("request-id"))
    second = house.post(CHEAP, key=tenant.key)

    assert (first.status, second.status) == (200, 200)


def test_a_large_max_tokens_does_not_lock_a_small_tier_out(house: House) -> None:
    tenant = house.tenant("basic")

    answers = [house.post({**CHEAP, "max_tokens": 64_000}, key=tenant.key) for _ in range(5)]

    assert [answer.status for answer in answers] == [200] * 5


def test_concurrent_requests_are_limited_and_free_again_at_their_end(
    house: House, upstream: Upstream
) -> None:
    tenant = house.tenant(limits={"concurrent_requests": 2})
    slow = [part for frame in provider.frames() for part in (Send(chunk(frame)), Pause(0.05))]
    script = upstream.script(Send(stream_head()), slow, Send(LAST_CHUNK))
    sent = house.message(body(script=script, stream=True), key=tenant.key)

    answers = house.ask_all([sent] * 3, at_once=3)
    for answer in answers:
        if answer.status == 200:
            house.usage(answer.header("request-id"))
    after = house.post(CHEAP, key=tenant.key)

    assert Counter(answer.status for answer in answers) == {200: 2, 429: 1}
    (refused,) = [answer for answer in answers if answer.status == 429]
    _assert_limited(refused, "2 concurrent requests", None)
    assert after.status == 200


def test_a_request_refused_by_one_limit_takes_nothing_from_the_others(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 100, "concurrent_requests": 50})
    tight = house.office.wish("api_key", organization=tenant.name, limits={"requests_per_minute": 1})[
        "secret"
    ]

    assert [house.post(CHEAP, key=tight).status for _ in range(10)] == [200] + [429] * 9
    answer = house.post(CHEAP, key=tenant.key)

    assert answer.status == 200
    assert int(answer.header("anthropic-ratelimit-requests-remaining") or -1) == 98


def test_limits_of_key_workspace_and_organization_hold_together(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 5})
    workspace = house.office.wish(
        "workspace", organization=tenant.name, name="Small", limits={"requests_per_minute": 3}
    )["id"]
    key = house.office.wish("api_key", organization=tenant.name, workspace=workspace)["secret"]

    inside = [house.post(CHEAP, key=key).status for _ in range(4)]
    outside = [house.post(CHEAP, key=tenant.key).status for _ in range(3)]

    assert (inside, outside) == ([200, 200, 200, 429], [200, 200, 429])


def test_limits_hold_exactly_over_several_processes(house: House, guarded: Gateway) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 40})
    sent = [house.message(CHEAP, key=tenant.key)] * 40

    async def both() -> list[Answer]:
        here, there = wire.ask_all(house.port, sent, at_once=8), wire.ask_all(guarded.port, sent, at_once=8)
        return [answer for several in await asyncio.gather(here, there) for answer in several]

    statuses = Counter(answer.status for answer in asyncio.run(both()))

    assert statuses[200] in (40, 41) and statuses[200] + statuses[429] == 80, (
        statuses
    )  # 41: it refills meanwhile


def test_a_limit_refills_continuously(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 60})

    async def ask() -> list[int]:
        connection = await Wire.connect(house.port)
        sent = house.message(CHEAP, key=tenant.key)
        statuses = [(await connection.ask(sent)).status for _ in range(61)]
        await asyncio.sleep(1.2)
        return [*statuses, (await connection.ask(sent)).status]

    statuses = asyncio.run(ask())

    assert 429 in statuses[55:61]
    assert statuses[-1] == 200


def test_changed_limits_hold_within_a_second(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 1})
    assert [house.post(CHEAP, key=tenant.key).status for _ in range(2)] == [200, 429]

    house.office.wish("limits", organization=tenant.name, limits={"requests_per_minute": 1_000})

    until(lambda: house.post(CHEAP, key=tenant.key).status == 200, 1)


def _assert_limited(answer: Answer, named: str, group: str | None) -> None:
    assert answer.status == 429, answer.body
    assert answer.json == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": answer.json["error"]["message"]},
        "request_id": answer.header("request-id"),
    }
    message = answer.json["error"]["message"]
    assert named in message or named.replace(",", "") in message, message
    retry_after = answer.header("retry-after")
    assert retry_after is not None and retry_after.isdigit() and 1 <= int(retry_after) <= 60
    if group:
        assert answer.header(f"anthropic-ratelimit-{group}-remaining") == "0"
        _assert_reset(answer.header(f"anthropic-ratelimit-{group}-reset"))


def _assert_reset(value: str | None) -> None:
    """RFC 3339 in UTC, ending in Z, within the next minutes."""
    assert value is not None and value.endswith("Z")
    ahead = datetime.datetime.fromisoformat(value) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(seconds=-1.5) < ahead < datetime.timedelta(minutes=3)
