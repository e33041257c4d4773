"""Whole conversations of Responses clients, as `tests/transcripts/README.md` tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openai.types.responses import Response

from gateway.protocol.anthropic.families import family_of
from gateway.protocol.anthropic.fold import StreamedFailure, message_of
from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.body import parse
from gateway.protocol.responses.request import ResponsesRequest, responses_request
from gateway.protocol.responses.response import response_object
from gateway.protocol.responses.stream import ResponsesEvents
from gateway.protocol.responses.to_anthropic import anthropic_request
from tests.protocol.responses.writing import told

CASES = sorted((Path(__file__).parents[2] / "transcripts" / "responses_anthropic").iterdir())
STREAMED = [case for case in CASES if (case / "client_stream.sse").exists()]
WHOLE = [case for case in CASES if case not in STREAMED]
RESPONSE_ID, CREATED = "resp_1", 1_760_000_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_provider_gets_the_request_in_its_dialect(case: Path) -> None:
    expected = json.loads((case / "provider_request.json").read_bytes())
    model = expected["model"]
    written = anthropic_request(asked(case), model=model, family=family_of(model), max_output_tokens=None)
    assert json.loads(written.body) == expected


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_whole_answer_reaches_the_client_as_a_response(case: Path) -> None:
    answer = json.loads(whole(case, (case / "provider_answer.json").read_bytes()))
    assert answer == json.loads((case / "client_answer.json").read_bytes())
    assert Response.model_validate(answer, strict=True).id == RESPONSE_ID


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_a_stream_reaches_the_client_as_responses_events(case: Path) -> None:
    request = asked(case)
    events = ResponsesEvents(request, RESPONSE_ID, request.model, CREATED)
    out = events.feed((case / "provider_stream.sse").read_bytes())
    assert out == (case / "client_stream.sse").read_bytes()


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_a_stream_ends_as_the_whole_answer_would_be(case: Path) -> None:
    stream = (case / "provider_stream.sse").read_bytes()
    last = told((case / "client_stream.sse").read_bytes())[-1]
    try:
        message = message_of(stream)
    except (StreamedFailure, MalformedStream):
        assert last["type"] in ("response.failed", "response.incomplete")
        return
    assert last["response"] == json.loads(whole(case, message))


def asked(case: Path) -> ResponsesRequest:
    return responses_request(parse((case / "request.json").read_bytes()))


def whole(case: Path, message: bytes) -> bytes:
    request = asked(case)
    return response_object(
        message, request=request, response_id=RESPONSE_ID, model=request.model, created=CREATED
    )
