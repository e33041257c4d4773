"""Whole conversations between an Anthropic client and a provider of the OpenAI dialect, played from files.

`tests/transcripts/README.md` tells what stands in a case and how to add one.
"""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import GatewayError, envelope
from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.anthropic.request import message_request
from gateway.protocol.body import parse
from gateway.protocol.openai import profile
from gateway.protocol.openai.errors import error_from_openai
from gateway.protocol.openai.failure import FailedStream
from gateway.protocol.openai.profile import Profile
from gateway.protocol.openai.request import OpenAIRequest, openai_request
from gateway.protocol.openai.response import anthropic_message
from gateway.protocol.openai.stream import OpenAIStream
from gateway.protocol.vendors import vendor_of
from tests import stream_grammar

Json = dict[str, Any]

CASES = sorted(
    path
    for path in (Path(__file__).parents[2] / "transcripts" / "anthropic_openai").iterdir()
    if path.is_dir()
)
# In bytes; the first is all at once.
CHUNKINGS = [1 << 30, 1, 7]
_MINTED = re.compile(r"toolu_01[0-9a-f]{22}")


class Case:
    """The files of one folder, read when asked for; a file that is not there is None."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: Json = self.json("case.json")

    def bytes(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def json(self, name: str) -> Any:
        raw = self.bytes(name)
        return None if raw is None else json.loads(raw)

    @property
    def model(self) -> str:
        return self.told.get("model", "provider-model")

    @property
    def profile(self) -> Profile:
        if "profile" in self.told:
            return getattr(profile, self.told["profile"])
        return vendor_of(self.told.get("preset", ""), "openai", "").profile_of(self.model)

    def request(self) -> OpenAIRequest:
        """What goes to the provider; files are indented for people, clients send JSON without spaces."""
        raw = json.dumps(self.json("request.json"), ensure_ascii=False, separators=(",", ":")).encode()
        most = self.told.get("max_output_tokens")
        return openai_request(
            message_request(parse(raw)), model=self.model, profile=self.profile, max_output_tokens=most
        )

    def way_back(self) -> Json:
        """What the translation of an answer has to know."""
        asked = self.request() if self.bytes("request.json") else None
        return {
            "message_id": "msg_1",
            "model": "catalog-model",
            "input_estimate": 12,
            "tool_names": asked.tool_names if asked else {},
            "stop_sequences": asked.stop_sequences if asked else (),
        }


def with_(*names: str, no: str = "none") -> list[Any]:
    """The cases that have all these files, and none whose name begins with `no`."""
    return [
        pytest.param(Case(folder), id=folder.name)
        for folder in CASES
        if all((folder / name).exists() for name in names) and not list(folder.glob(f"{no}*"))
    ]


@pytest.mark.parametrize("case", with_("request.json", "provider_request.json"))
def test_the_provider_is_sent_what_the_client_means(case: Case) -> None:
    request = case.request()
    assert json.loads(request.body) == case.json("provider_request.json")
    assert list(request.dropped) == case.told.get("dropped", [])


@pytest.mark.parametrize("case", with_("request.json", "error.json", no="provider_"))
def test_a_request_that_cannot_be_carried_is_refused(case: Case) -> None:
    with pytest.raises(GatewayError) as caught:
        case.request()
    assert _envelope(caught.value) == case.json("error.json")


@pytest.mark.parametrize("size", CHUNKINGS)
@pytest.mark.parametrize("case", with_("provider_stream.sse", "client_stream.sse"))
def test_the_client_is_streamed_what_the_provider_says(case: Case, size: int) -> None:
    stream, events = _streamed(case, size)
    told = stream_grammar.read(events, may_fail=True)
    assert told == stream_grammar.frames(case.bytes("client_stream.sse") or b"")
    if told[-1]["type"] == "message_stop":
        assert _without_nulls(json.loads(message_of(events))) == case.json("message.json")
        assert stream.estimated == case.told.get("estimated", False)
    assert stream.unknown == [tuple(note) for note in case.told.get("unknown", [])]


@pytest.mark.parametrize("size", CHUNKINGS)
@pytest.mark.parametrize("case", with_("provider_stream.sse", "error.json"))
def test_a_stream_that_fails_before_it_began_is_an_http_error(case: Case, size: int) -> None:
    with pytest.raises(FailedStream) as caught:
        _streamed(case, size)
    assert _envelope(caught.value.error) == case.json("error.json")


@pytest.mark.parametrize("case", with_("provider_answer.json", "message.json"))
def test_an_answer_told_whole_is_the_same_message(case: Case) -> None:
    answer = anthropic_message(case.bytes("provider_answer.json") or b"", **case.way_back())
    numbers = itertools.count(1)
    told = _MINTED.sub(lambda _: f"toolu_{next(numbers)}", answer.body.decode())
    assert _without_nulls(json.loads(told)) == case.json("message.json")
    assert answer.estimated == case.told.get("estimated", False)


@pytest.mark.parametrize("case", with_("provider_answer.json", "error.json"))
def test_an_answer_that_is_an_error_is_told_as_one(case: Case) -> None:
    body, status = case.bytes("provider_answer.json") or b"", case.told.get("status", 200)
    with pytest.raises(GatewayError) as caught:
        if status >= 400:
            raise error_from_openai(status, body, headers={})
        anthropic_message(body, **case.way_back())
    assert _envelope(caught.value) == case.json("error.json")


@pytest.mark.parametrize("case", with_())
def test_every_case_proves_something(case: Case) -> None:
    outcomes = "provider_request.json", "client_stream.sse", "message.json", "error.json"
    assert case.told["note"]
    assert any(case.bytes(name) for name in outcomes)


def _streamed(case: Case, size: int) -> tuple[OpenAIStream, bytes]:
    numbers = itertools.count(1)
    stream = OpenAIStream(mint=lambda: f"toolu_{next(numbers)}", request_id="req_1", **case.way_back())
    sent = case.bytes("provider_stream.sse") or b""
    events = b"".join(stream.feed(sent[at : at + size]) for at in range(0, len(sent), size))
    return stream, events + stream.finish()


def _envelope(error: GatewayError) -> Json:
    told: Json = json.loads(envelope(error, ""))
    del told["request_id"]
    return told


def _without_nulls(message: Json) -> Json:
    """A whole message may name what a stream leaves out, as null."""
    usage = {name: count for name, count in message["usage"].items() if count is not None}
    kept = {name: value for name, value in message.items() if name != "stop_details" or value is not None}
    return {**kept, "usage": usage}
