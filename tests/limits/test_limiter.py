"""Admission and settlement against a real Valkey."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
import uuid

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.limits import headers
from gateway.limits.limiter import Limiter
from gateway.limits.local import LocalLimiter
from gateway.principal import Scope
from gateway.supervisor.valkey import Valkey


def scope(
    *,
    requests: int = 0,
    tokens: int = 0,
    input_tokens: int = 0,
    output_tokens: int = 0,
    concurrent: int = 0,
    kind: str = "organization",
    tenant: str = "acme",
) -> Scope:
    limits = (requests, tokens, input_tokens, output_tokens, concurrent)
    return Scope(kind, f"gw:{{{tenant}}}:limit:{kind}", limits)


def lease() -> str:
    return str(uuid.uuid4())


async def test_requests_are_admitted_up_to_the_limit_and_no_further(limiter: Limiter) -> None:
    scopes = (scope(requests=50),)
    answers = [await limiter.admit(scopes, lease(), 1, 1) for _ in range(51)]
    assert [answer.refusal is None for answer in answers] == [True] * 50 + [False]
    refusal = answers[-1].refusal
    assert refusal is not None
    error = refusal.error()
    assert error.message == (
        "This request would exceed your organization's rate limit of 50 requests per minute "
        "(requests_per_minute). Please try again later."
    )
    assert error.headers == {"retry-after": "2"}


async def test_waiting_as_long_as_told_is_enough(limiter: Limiter) -> None:
    scopes = (scope(requests=600, tokens=6000),)
    while (answer := await limiter.admit(scopes, lease(), 50, 50)).refusal is None:
        pass
    await asyncio.sleep(answer.refusal.wait_ms / 1000)
    assert (await limiter.admit(scopes, lease(), 50, 50)).refusal is None


async def test_all_scopes_admit_or_none(limiter: Limiter) -> None:
    wide, narrow = scope(requests=100), scope(requests=1, kind="api_key")
    assert (await limiter.admit((wide, narrow), lease(), 0, 0)).refusal is None
    refused = await limiter.admit((wide, narrow), lease(), 0, 0)
    assert refused.refusal is not None and refused.refusal.scope == narrow
    alone = await limiter.admit((wide,), lease(), 0, 0)
    assert alone.states[0].remaining[0] == 98  # the refused one took nothing from the wide scope


async def test_concurrent_admissions_never_exceed_the_limit(limiter: Limiter) -> None:
    scopes = (scope(requests=100, concurrent=30),)
    answers = await asyncio.gather(*[limiter.admit(scopes, lease(), 0, 0) for _ in range(500)])
    assert sum(answer.refusal is None for answer in answers) == 30


async def test_a_settled_request_frees_its_place(limiter: Limiter) -> None:
    scopes = (scope(concurrent=1),)
    first = await limiter.admit(scopes, lease(), 0, 0)
    assert (await limiter.admit(scopes, lease(), 0, 0)).refusal is not None
    limiter.settle(first, 0, 0, b"")
    assert (await limiter.admit(scopes, lease(), 0, 0)).refusal is None


async def test_a_crash_leaks_no_place(limiter: Limiter, valkey: redis.Redis) -> None:
    scopes = (scope(concurrent=1),)
    await limiter.admit(scopes, lease(), 0, 0)
    key = scopes[0].key + ":leases"
    seconds, _ = valkey.time()
    assert 0 < valkey.zrange(key, 0, 0, withscores=True)[0][1] - seconds * 1000 <= 92_000
    valkey.zadd(key, {valkey.zrange(key, 0, 0)[0]: seconds * 1000 - 1})  # as if its deadline had passed
    assert (await limiter.admit(scopes, lease(), 0, 0)).refusal is None


async def test_what_was_reserved_and_not_used_comes_back(limiter: Limiter) -> None:
    scopes = (scope(tokens=100_000, input_tokens=50_000, output_tokens=50_000),)
    admission = await limiter.admit(scopes, lease(), 10_000, 20_000)
    assert admission.states[0].remaining == (0, 70_000, 40_000, 30_000)
    await limiter.settle(admission, 1_000, 2_000, b"")
    after = await limiter.admit(scopes, lease(), 0, 0)
    assert after.states[0].remaining[1] == pytest.approx(97_000, abs=600)
    assert after.states[0].remaining[2] == pytest.approx(49_000, abs=300)


async def test_settling_twice_gives_back_once(limiter: Limiter) -> None:
    scopes = (scope(tokens=100_000),)
    admission = await limiter.admit(scopes, lease(), 0, 50_000)
    await limiter.settle(admission, 0, 40_000, b"")
    await limiter.settle(admission, 0, 40_000, b"")
    after = await limiter.admit(scopes, lease(), 0, 0)
    assert after.states[0].remaining[1] == pytest.approx(60_000, abs=600)


async def test_a_bucket_may_go_into_debt_and_refuses_until_it_is_paid_back(limiter: Limiter) -> None:
    scopes = (scope(tokens=60_000),)
    admission = await limiter.admit(scopes, lease(), 100, 100)
    await limiter.settle(admission, 100, 90_000, b"")
    refused = await limiter.admit(scopes, lease(), 100, 100)
    assert refused.refusal is not None
    assert refused.refusal.limit == "tokens_per_minute"
    assert refused.refusal.wait_ms == pytest.approx(30_300, abs=200)  # 30,100 tokens of debt and 200 wanted


async def test_no_reservation_is_larger_than_the_bucket(limiter: Limiter) -> None:
    scopes = (scope(tokens=1_000),)
    admission = await limiter.admit(scopes, lease(), 500, 64_000)
    assert admission.refusal is None
    assert admission.states[0].remaining[1] == 0


async def test_two_organizations_never_meet(limiter: Limiter) -> None:
    acme, umbrella = (scope(requests=1),), (scope(requests=1, tenant="umbrella"),)
    assert (await limiter.admit(acme, lease(), 0, 0)).refusal is None
    assert (await limiter.admit(umbrella, lease(), 0, 0)).refusal is None


async def test_every_key_in_valkey_names_its_organization(limiter: Limiter, valkey: redis.Redis) -> None:
    admission = await limiter.admit((scope(requests=5, tokens=50, concurrent=2),), lease(), 1, 1)
    await limiter.settle(admission, 1, 2, b"event")
    assert {key.decode() for key in valkey.scan_iter()} == {"gw:{acme}:limit:organization", "gw:usage"}


async def test_headers_tell_the_tightest_scope(limiter: Limiter) -> None:
    scopes = (scope(requests=100, tokens=1_000), scope(requests=10, kind="workspace"))
    admission = await limiter.admit(scopes, lease(), 100, 100)
    shown = dict(headers.of(admission))
    assert shown[b"anthropic-ratelimit-requests-limit"] == b"10"
    assert shown[b"anthropic-ratelimit-requests-remaining"] == b"9"
    assert shown[b"anthropic-ratelimit-tokens-remaining"] == b"800"
    reset = time.strptime(shown[b"anthropic-ratelimit-tokens-reset"].decode(), "%Y-%m-%dT%H:%M:%SZ")
    assert set(shown) == {
        b"anthropic-ratelimit-%b-%b" % (name, part)
        for name in (b"requests", b"tokens")
        for part in (b"limit", b"remaining", b"reset")
    }
    assert 0 <= _epoch(reset) - time.time() <= 13


def _epoch(moment: time.struct_time) -> float:
    return time.mktime(moment) - time.timezone


async def test_cancelled_callers_leave_no_place_taken_and_get_nobody_elses_answer(limiter: Limiter) -> None:
    """5,000 admissions cancelled at random moments: each that gets an answer gets its own."""
    randomly = random.Random(7)
    scopes = (scope(requests=1_000_000, concurrent=100_000),)

    async def ask(number: int) -> None:
        mine = f"{number}"
        admission = await limiter.admit(scopes, mine, number, 0)
        assert (admission.lease, admission.input_tokens) == (mine, number)
        echoed = await limiter.valkey.command("ECHO", mine)
        assert echoed == mine.encode()
        limiter.settle(admission, 0, 0, b"")

    for start in range(0, 5_000, 100):
        tasks = [asyncio.create_task(ask(number)) for number in range(start, start + 100)]
        for task in randomly.sample(tasks, 50):
            asyncio.get_running_loop().call_later(randomly.random() / 500, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        unexpected = [
            one for one in results if one is not None and not isinstance(one, asyncio.CancelledError)
        ]
        assert unexpected == []
    # A task cancelled between its admission and its settlement is the exchange's to settle; the rest is free.
    held = int(await limiter.valkey.command("ZCARD", scopes[0].key + ":leases"))
    assert held == limiter.open_leases


async def test_valkey_that_says_nothing_costs_one_tenth_of_a_second_once(
    limiter: Limiter, valkey_server: Valkey, valkey: redis.Redis
) -> None:
    scopes = (scope(requests=3),)
    pid = int(valkey.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.perf_counter()
        first = await limiter.admit(scopes, lease(), 0, 0)
        assert time.perf_counter() - started < 0.2
        started = time.perf_counter()
        rest = [await limiter.admit(scopes, lease(), 0, 0) for _ in range(3)]
        assert time.perf_counter() - started < 0.01
    finally:
        os.kill(pid, signal.SIGCONT)
    assert first.local and all(answer.local for answer in rest)
    assert [answer.refusal is None for answer in (first, *rest)] == [True, True, True, False]
    for _ in range(100):
        if limiter.valkey.available:
            break
        await asyncio.sleep(0.05)
    assert not (await limiter.admit((scope(requests=9, tenant="x"),), lease(), 0, 0)).local


async def test_scripts_that_valkey_forgot_are_loaded_again(limiter: Limiter, valkey: redis.Redis) -> None:
    valkey.script_flush()
    scopes = (scope(requests=9),)
    assert (await limiter.admit(scopes, lease(), 0, 0)).local
    for _ in range(100):
        if limiter.valkey.available and not (await limiter.admit(scopes, lease(), 0, 0)).local:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the scripts never came back")


async def test_wrong_keys_are_counted_by_address(limiter: Limiter) -> None:
    assert [await limiter.guesses("192.0.2.1") for _ in range(3)] == [1, 2, 3]
    assert await limiter.guesses("192.0.2.2") == 1


# What a busy machine may put between the two answers to one step.
SLACK_MS = 1_500

steps = st.lists(
    st.tuples(
        st.sampled_from(["admit", "settle"]),
        st.integers(0, 3_000),
        st.integers(0, 3_000),
    ),
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=steps, limits=st.tuples(*[st.integers(0, 5_000)] * 4, st.integers(0, 4)))
async def test_the_script_and_the_local_limiter_agree(
    limiter: Limiter,
    valkey: redis.Redis,
    steps: list[tuple[str, int, int]],
    limits: tuple[int, int, int, int, int],
) -> None:
    """The same steps, the same answers; time passes alike for both, so levels differ by what refills meanwhile."""
    valkey.flushdb()
    local = LocalLimiter()
    scopes = (Scope("organization", "gw:{acme}:limit:organization", limits),)
    held = []
    for kind, first, second in steps:
        if kind == "admit" or not held:
            mine = lease()
            theirs = await limiter.admit(scopes, mine, first, second)
            ours = local.admit(scopes, mine, first, second)
            _assert_alike(theirs.states[0].remaining, ours.states[0].remaining, limits)
            close = ours.refusal is not None and ours.refusal.wait_ms < SLACK_MS
            if theirs.refusal is None and ours.refusal is None:
                held.append((theirs, ours))
            elif not close and not (theirs.refusal is not None and theirs.refusal.wait_ms < SLACK_MS):
                assert (theirs.refusal is None) == (ours.refusal is None)
            else:
                return  # decided by a few milliseconds of refill: from here on the two may differ
        else:
            theirs, ours = held.pop()
            await limiter.settle(theirs, first, second, b"")
            local.settle(ours, first, second)


def _assert_alike(theirs: tuple[int, ...], ours: tuple[int, ...], limits: tuple[int, ...]) -> None:
    for n, size in enumerate(limits[:4]):
        assert theirs[n] == pytest.approx(ours[n], abs=2 + size * SLACK_MS / 60_000)
