"""The load generator's judgement: a benchmark that takes a wrong answer for a fast one measures nothing."""

from __future__ import annotations

import asyncio
import os

import pytest

from benchmarks.load import Order, Outcome, load
from benchmarks.provider import REPLIES, Reply
from benchmarks.script import BURST, JSON, Script


async def told(script: Script, pieces: list[bytes]) -> Outcome:
    """What two connections make of a server that answers each request with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(script.request))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        order = Order(script.name, port, "key", 2, 5.0, os.getpid(), os.getpid(), [0], most_requests=2)
        return await load(order)


def scripted(script: Script) -> Reply:
    return REPLIES[script.model.encode()]


@pytest.mark.parametrize("script", [JSON, BURST])
async def test_the_scripted_answer_counts(script: Script) -> None:
    outcome = await told(script, list(scripted(script).pieces))

    events = len(script.answer) if script.streams else 0
    assert (outcome.requests, outcome.events, outcome.faults) == (2, 2 * events, {})


@pytest.mark.parametrize("script", [JSON, BURST])
async def test_an_answer_that_comes_byte_by_byte_counts(script: Script) -> None:
    whole = b"".join(scripted(script).pieces)

    outcome = await told(script, [whole[at : at + 1] for at in range(len(whole))])

    assert (outcome.requests, outcome.faults) == (2, {})


@pytest.mark.parametrize("script", [JSON, BURST])
async def test_a_changed_answer_is_a_fault(script: Script) -> None:
    pieces = [piece.replace(b"end_turn", b"max_turn") for piece in scripted(script).pieces]

    outcome = await told(script, pieces)

    assert (outcome.requests, outcome.faults) == (0, {"not the provider's answer": 2})


@pytest.mark.parametrize("script", [JSON, BURST])
async def test_a_cut_answer_is_a_fault(script: Script) -> None:
    pieces = list(scripted(script).pieces)

    outcome = await told(script, [*pieces[:-1], pieces[-1][:-20]])

    assert (outcome.requests, outcome.faults) == (0, {"connection closed": 2})


async def test_a_stream_without_one_of_its_events_is_a_fault() -> None:
    pieces = scripted(BURST).pieces

    outcome = await told(BURST, [*pieces[:7], *pieces[8:]])

    assert (outcome.requests, outcome.faults) == (0, {"not the provider's answer": 2})


@pytest.mark.parametrize("script", [JSON, BURST])
async def test_a_refusal_is_a_fault(script: Script) -> None:
    outcome = await told(script, [b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}"])

    assert (outcome.requests, outcome.faults) == (0, {"status 429": 2})
