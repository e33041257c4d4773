"""A fault of the gateway's own: told as one, never a silent end, and accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests import openai_provider as chat
from tests import stream_grammar
from tests.data_plane import wire
from tests.data_plane.house import TRANSLATED, Gateway, House, body
from tests.upstream import Upstream, reply, streamed


@pytest.fixture(scope="module")
def faulty(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    log = tmp_path_factory.mktemp("faulty") / "gateway.log"
    gateway = Gateway(house.environment, log, "tests.data_plane.faulty_translator")
    try:
        gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.close()


def test_in_a_stream_it_is_one_error_event(house: House, upstream: Upstream, faulty: Gateway) -> None:
    frames = chat.frames(chat.chunks(["Hello", " break here", " never"]))
    script = upstream.script(streamed(frames, delay=0.02))

    answer = asyncio.run(wire.ask(faulty.port, house.message(body(TRANSLATED, script, stream=True))))

    events = stream_grammar.read(answer.body, may_fail=True)
    assert (answer.status, answer.complete, stream_grammar.text_of(events)) == (200, True, "Hello")
    assert events[-1]["error"] == {
        "type": "api_error",
        "message": "An unexpected error has occurred in the gateway.",
    }
    settled = house.usage(answer.header("request-id"))
    assert (settled.status, settled.usage_source, settled.error_type) == (500, "estimated", "api_error")


def test_in_a_whole_answer_it_is_a_500_that_is_accounted_for(
    house: House, upstream: Upstream, faulty: Gateway
) -> None:
    script = upstream.script(reply(200, chat.completion("break here")))

    answer = asyncio.run(wire.ask(faulty.port, house.message(body(TRANSLATED, script))))

    assert (answer.status, answer.json["error"]["type"]) == (500, "api_error")
    settled = house.usage(answer.header("request-id"))
    assert (settled.status, settled.usage_source) == (500, "estimated")
    assert settled.usage.input_tokens > 0
