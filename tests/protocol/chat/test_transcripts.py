"""Whole conversations of chat completions clients, as `tests/transcripts/README.md` tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.anthropic.families import family_of
from gateway.protocol.anthropic.relay import State
from gateway.protocol.body import parse
from gateway.protocol.chat.completion import chat_completion
from gateway.protocol.chat.relay import ChatRelay, relayed_completion
from gateway.protocol.chat.request import ChatRequest, chat_request
from gateway.protocol.chat.stream import ChatChunks
from gateway.protocol.chat.to_anthropic import anthropic_request
from gateway.protocol.chat.to_openai import relayed_request
from tests.protocol.chat.reading import frames

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"
TRANSLATED = sorted((TRANSCRIPTS / "openai_anthropic").iterdir())
RELAYED = sorted((TRANSCRIPTS / "openai_openai").iterdir())
COMPLETION_ID, CREATED = "chatcmpl-1", 1_760_000_000


@pytest.mark.parametrize("case", TRANSLATED, ids=lambda case: case.name)
def test_an_anthropic_provider_gets_the_request_in_its_dialect(case: Path) -> None:
    expected = json.loads((case / "provider_request.json").read_bytes())
    model = expected["model"]
    written = anthropic_request(asked(case), model=model, family=family_of(model), max_output_tokens=None)
    assert json.loads(written.body) == expected


@pytest.mark.parametrize("case", TRANSLATED, ids=lambda case: case.name)
def test_an_anthropic_answer_reaches_the_client_in_its_dialect(case: Path) -> None:
    request = asked(case)
    if request.stream:
        assert frames(translated_stream(case, request)) == frames((case / "client_stream.sse").read_bytes())
        return
    body = chat_completion(
        (case / "provider_answer.json").read_bytes(),
        completion_id=COMPLETION_ID,
        model=request.model,
        created=CREATED,
    )
    assert json.loads(body) == json.loads((case / "client_answer.json").read_bytes())


@pytest.mark.parametrize("case", RELAYED, ids=lambda case: case.name)
def test_an_openai_provider_gets_the_same_bytes_but_for_the_model_and_the_usage(case: Path) -> None:
    expected = (case / "provider_request.json").read_bytes()
    assert relayed_request(asked(case), model=json.loads(expected)["model"]) == expected


@pytest.mark.parametrize("case", RELAYED, ids=lambda case: case.name)
def test_an_openai_answer_reaches_the_client_as_the_same_bytes_but_for_the_model(case: Path) -> None:
    request = asked(case)
    if not request.stream:
        answer = relayed_completion((case / "provider_answer.json").read_bytes(), model=request.model)
        assert answer.body == (case / "client_answer.json").read_bytes()
        return
    relay = ChatRelay(request.model, request.include_usage)
    provided = (case / "provider_stream.sse").read_bytes()
    told = b"".join(relay.feed(frame) for frame in provided.splitlines(keepends=True)) + relay.finish()
    assert told == (case / "client_stream.sse").read_bytes()
    assert relay.state is (State.DONE if told.endswith(b"[DONE]\n\n") else State.FAILED)


def asked(case: Path) -> ChatRequest:
    return chat_request(parse((case / "request.json").read_bytes()))


def translated_stream(case: Path, request: ChatRequest) -> bytes:
    fields: dict[str, Any] = {"include_usage": request.include_usage, "functions": request.functions}
    chunks = ChatChunks(COMPLETION_ID, request.model, CREATED, **fields)
    return chunks.feed((case / "provider_stream.sse").read_bytes())
