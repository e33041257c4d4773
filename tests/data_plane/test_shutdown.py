"""SIGTERM: unready at once, streams finish while there is time, the rest end with an error and are settled."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests import stream_grammar
from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import SCRIPTED, TRANSLATED, Gateway, House, body
from tests.data_plane.openai_sdk import begun, chat_of
from tests.data_plane.wire import Answer, Wire
from tests.upstream import Hang, Pause, Send, Upstream, chunk, stream_head

DRAIN_SECONDS = 1.5
TESTS = 5


@pytest.fixture(scope="module")
def doomed(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    """As many as there are tests, which begin side by side."""
    environment = house.environment | {"GATEWAY_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    folder = tmp_path_factory.mktemp("doomed")
    gateways = [Gateway(environment, folder / f"gateway{number}.log") for number in range(TESTS)]
    yield list(gateways)
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def ending(doomed: list[Gateway]) -> Gateway:
    """A web process that drains for 1.5 s."""
    gateway = doomed.pop()
    gateway.wait_until_ready()
    return gateway


def test_streams_finish_or_end_with_an_error_and_everything_is_settled(
    house: House, upstream: Upstream, ending: Gateway
) -> None:
    frames = provider.frames()
    short = upstream.script(provider.streamed(frames, delay=0.07))
    endless = upstream.script(
        Send(stream_head() + b"".join(map(chunk, frames[:4]))),
        [part for _ in range(400) for part in (Pause(0.05), Send(chunk(frames[3])))],
    )
    silent = upstream.script(Send(stream_head() + b"".join(map(chunk, frames[:4]))), Hang())
    unanswered = upstream.script(Hang())

    async def talk() -> list[Answer]:
        asked = [body(script=name, stream=True) for name in (short, endless, silent)] + [
            body(script=unanswered)
        ]
        answers = [asyncio.create_task(wire.ask(ending.port, house.message(one))) for one in asked]
        await asyncio.sleep(0.3)
        ending.terminate()
        return await asyncio.gather(*answers)

    began = time.monotonic()
    finished, *broken, refused = asyncio.run(talk())
    code = ending.wait(8)

    assert stream_grammar.read(finished.body)[-1] == {"type": "message_stop"}
    for answer in broken:
        assert stream_grammar.read(answer.body, may_fail=True)[-1]["type"] == "error"
        assert answer.complete
    assert refused.status in (503, 529)
    assert refused.json["error"]["type"] in ("api_error", "overloaded_error")
    assert DRAIN_SECONDS < time.monotonic() - began < DRAIN_SECONDS + 3.5
    assert code in (0, -signal.SIGTERM)
    assert house.usage(finished.header("request-id")).usage_source == "reported"
    for answer in (*broken, refused):
        assert house.usage(answer.header("request-id")).usage_source == "estimated"


def test_streams_of_openais_clients_end_with_an_error_of_theirs(
    house: House, upstream: Upstream, ending: Gateway
) -> None:
    wanted: list[tuple[str, dict[str, Any]]] = []
    for model in (SCRIPTED, TRANSLATED):
        script = upstream.script(begun(model), Hang())
        wanted.append(("/v1/chat/completions", chat_of(model, script)))
        wanted.append(("/v1/responses", {"model": model, "input": script}))

    async def talk() -> list[Answer]:
        raws = [house.message({**asked, "stream": True}, path=path) for path, asked in wanted]
        answers = [asyncio.create_task(wire.ask(ending.port, raw)) for raw in raws]
        await asyncio.sleep(0.3)
        ending.terminate()
        return await asyncio.gather(*answers)

    answers = asyncio.run(talk())
    last = [json.loads(answer.body.rpartition(b"data: ")[2]) for answer in answers]

    for completion, response in (last[:2], last[2:]):
        assert (completion["error"]["code"], completion["error"]["type"]) == ("overloaded", "server_error")
        assert response["type"] == "response.failed"
        assert response["response"]["error"]["code"] == "server_error"
    assert [answer.complete for answer in answers] == [True] * 4


def test_a_draining_process_is_unready_and_takes_no_new_work(
    house: House, upstream: Upstream, ending: Gateway
) -> None:
    slow = upstream.script(provider.streamed(provider.frames(), delay=0.1))

    async def talk() -> tuple[Answer, Answer | None]:
        idle = await Wire.connect(ending.port)
        await idle.ask(wire.request("GET", "/readyz", []))
        stream = asyncio.create_task(wire.ask(ending.port, house.message(body(script=slow, stream=True))))
        await asyncio.sleep(0.2)
        ending.terminate()
        await asyncio.sleep(0.2)
        try:
            ready: Answer | None = await idle.ask(wire.request("GET", "/readyz", []))
        except (OSError, asyncio.IncompleteReadError):
            ready = None  # the connection was closed, which says the same
        return await stream, ready

    stream, ready = asyncio.run(talk())

    assert stream_grammar.read(stream.body)[-1] == {"type": "message_stop"}
    assert ready is None or ready.status == 503


def test_an_idle_connection_does_not_hold_up_the_end(house: House, ending: Gateway) -> None:
    async def talk() -> float:
        idle = await Wire.connect(ending.port)
        assert (await idle.ask(house.message(body()))).status == 200
        ending.terminate()
        began = time.monotonic()
        await asyncio.to_thread(ending.wait, 5)
        return time.monotonic() - began

    assert asyncio.run(talk()) < 1.2


def test_a_killed_process_harms_only_its_own_streams(
    house: House, upstream: Upstream, ending: Gateway
) -> None:
    slow = upstream.script(provider.streamed(provider.frames(), delay=0.1))

    async def talk() -> Answer:
        there = await Wire.connect(ending.port)
        await there.send(house.message(body(script=slow, stream=True)))
        here = asyncio.create_task(wire.ask(house.port, house.message(body(script=slow, stream=True))))
        await asyncio.sleep(0.3)
        ending.kill()
        return await here

    assert stream_grammar.read(asyncio.run(talk()).body)[-1] == {"type": "message_stop"}
