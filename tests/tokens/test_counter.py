from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from rs_bpe.bpe import openai

from gateway.tokens.counter import TokenCounter
from gateway.tokens.profiles import CLAUDE, O200K, Profile, profile_for
from gateway.tokens.quick import quick_estimate

from .corpora import CHINESE, CODE, EMOJI, ENGLISH, SCHEMA
from .pictures import png

BARE = Profile(factor=1.0, per_request=0, per_message=0, per_tool=0, tool_prompt=0)


@pytest_asyncio.fixture
async def counter() -> AsyncIterator[TokenCounter]:
    async with _counting() as counter:
        yield counter


@contextlib.asynccontextmanager
async def _counting(**how: Any) -> AsyncIterator[TokenCounter]:
    """Its process ends also where a test fails: the next one looks for its own."""
    counter = TokenCounter(**how)
    try:
        yield counter
    finally:
        await counter.close()


def _body(text: str, **fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **fields}).encode()


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "gateway.tokens.process" in child.cmdline()]


@pytest.mark.parametrize("text", [ENGLISH, CODE, CHINESE, EMOJI], ids=["english", "code", "chinese", "emoji"])
async def test_openai_models_are_within_five_percent_of_their_vocabulary(
    counter: TokenCounter, text: str
) -> None:
    counted = await counter.count(_body(text), profile=profile_for("gpt-5"))
    assert counted == pytest.approx(openai.o200k_base().count(text), rel=0.05)


async def test_tool_schemas_are_within_five_percent_of_their_vocabulary(counter: TokenCounter) -> None:
    tools = [
        {"name": f"order_{n}", "description": "Change an order.", "input_schema": SCHEMA} for n in range(3)
    ]
    written = json.dumps(SCHEMA, separators=(",", ":"))
    expected = sum(openai.o200k_base().count(text) for text in ["order_1", "Change an order.", written] * 3)
    counted = await counter.count(_body("", tools=tools), profile=profile_for("openai/gpt-5"))
    assert counted == pytest.approx(expected, rel=0.05)


async def test_other_models_count_by_their_profile(counter: TokenCounter) -> None:
    body = _body(ENGLISH, tools=[{"name": "t", "input_schema": {}}])
    text_tokens = await counter.count(body, profile=BARE)
    counted = await counter.count(body, profile=profile_for("anthropic/claude-sonnet-4-5"))
    assert counted == pytest.approx(text_tokens * 1.2 + 3 + 4 + 10 + 346, abs=1)


def test_a_model_is_known_by_the_beginning_of_its_name_whatever_its_vendor() -> None:
    names = ["claude-opus-4-8", "anthropic/claude-x", "Claude-X", "gpt-5", "not-claude", ""]
    assert [profile_for(name) for name in names] == [CLAUDE, CLAUDE, CLAUDE, O200K, O200K, O200K]


async def test_images_are_added_to_the_text(counter: TokenCounter) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": png(750, 100)}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "hello"}]
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    assert await counter.count(body, profile=BARE) == 101


async def test_many_requests_share_one_process_and_each_gets_its_own_count(counter: TokenCounter) -> None:
    bodies = [_body("hello " * number) for number in range(1, 60)]
    counts = await asyncio.gather(*(counter.count(body, profile=BARE) for body in bodies))
    assert counts == [openai.o200k_base().count("hello " * number) for number in range(1, 60)]
    assert len(_children()) == 1


async def test_thirty_megabytes_are_counted_while_the_event_loop_goes_on(counter: TokenCounter) -> None:
    text = ENGLISH * (30_000_000 // len(ENGLISH))
    body = _body(text)
    await counter.count(_body("warm"), profile=BARE)
    heartbeat = asyncio.create_task(_longest_gap())
    counted = await counter.count(body, profile=BARE)
    heartbeat.cancel()
    assert counted == pytest.approx(
        openai.o200k_base().count(ENGLISH) * (30_000_000 // len(ENGLISH)), rel=0.01
    )
    assert await heartbeat < 0.1


async def _longest_gap() -> float:
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest


async def test_the_web_process_never_loads_the_vocabulary() -> None:
    code = (
        "import sys, gateway.tokens.counter, gateway.tokens.quick\n"
        "sys.exit(any(name.startswith('rs_bpe') for name in sys.modules))"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await child.wait() == 0


async def test_a_killed_process_is_replaced_and_nobody_notices(counter: TokenCounter) -> None:
    await counter.count(_body("hello"), profile=BARE)
    [child] = _children()
    child.suspend()
    waiting = [asyncio.create_task(counter.count(_body("hello"), profile=BARE)) for _ in range(5)]
    await asyncio.sleep(0.1)
    child.kill()
    assert await asyncio.gather(*waiting) == [1] * 5
    assert await counter.count(_body("hello"), profile=BARE) == 1


async def test_a_process_that_hangs_is_given_up_at_the_deadline_and_replaced() -> None:
    body = _body(ENGLISH)
    async with _counting(deadline=1.0) as counter:
        await _count_exactly(counter)
        [child] = _children()
        child.suspend()
        begin = time.monotonic()
        assert await counter.count(body, profile=BARE) == quick_estimate(body)
        assert time.monotonic() - begin < 1.5
        await _count_exactly(counter)


async def _count_exactly(counter: TokenCounter) -> None:
    """On a busy machine a process may take longer to start than it has: the next guess finds it started."""
    counts = [await counter.count(_body("hello"), profile=BARE)]
    while counts[-1] != 1:
        assert len(counts) < 20, counts
        counts.append(await counter.count(_body("hello"), profile=BARE))


async def test_a_request_given_up_does_not_disturb_the_next(counter: TokenCounter) -> None:
    large = asyncio.create_task(counter.count(_body(ENGLISH * 500), profile=BARE))
    await asyncio.sleep(0.01)
    large.cancel()
    assert await counter.count(_body("hello"), profile=BARE) == 1


async def test_too_many_waiting_requests_are_guessed_at_once() -> None:
    body = _body(ENGLISH * 3)
    async with _counting(most_pending=2) as counter:
        counts = await asyncio.gather(*(counter.count(body, profile=BARE) for _ in range(4)))
    exact = openai.o200k_base().count(ENGLISH * 3)
    assert counts == [exact, exact, quick_estimate(body), quick_estimate(body)]


async def test_too_many_waiting_bytes_are_guessed_at_once() -> None:
    body = _body(ENGLISH)
    counter = TokenCounter(most_pending_bytes=len(body) - 1)
    assert await counter.count(body, profile=CLAUDE) == round(quick_estimate(body) * 1.2)
    assert _children() == []


async def test_a_body_that_cannot_be_read_is_guessed_and_the_process_lives(counter: TokenCounter) -> None:
    assert await counter.count(b'{"messages":', profile=BARE) == 3
    assert await counter.count(b"[" * 100_000, profile=BARE) == 25_000
    assert await counter.count(_body("hello"), profile=BARE) == 1
    assert len(_children()) == 1


async def test_an_idle_process_goes_and_comes_back() -> None:
    async with _counting(idle=0.2) as counter:
        await counter.count(_body("hello"), profile=BARE)
        [child] = _children()
        await _until(lambda: not child.is_running())
        assert await counter.count(_body("hello"), profile=BARE) == 1
    assert _children() == []


async def test_closing_leaves_no_process_even_if_it_hangs(counter: TokenCounter) -> None:
    await counter.count(_body("hello"), profile=BARE)
    _children()[0].suspend()
    await counter.close()
    assert _children() == []


async def test_the_process_sees_no_secrets(counter: TokenCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY_PEPPER", "canary")
    await counter.count(_body("hello"), profile=BARE)
    assert "canary" not in str(_children()[0].environ())


async def test_the_process_ends_when_its_web_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio\n"
        "from gateway.tokens.counter import TokenCounter\n"
        "from gateway.tokens.profiles import O200K\n"
        "async def main():\n"
        "    await TokenCounter().count(b'{}', profile=O200K)\n"
        "    print('counted', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout and await parent.stdout.readline() == b"counted\n"
    [child] = psutil.Process(parent.pid).children()
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await _until(lambda: not child.is_running())


async def _until(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)
