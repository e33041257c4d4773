"""Clients of OpenAI's Responses API, whose conversations always go through Anthropic's words."""

from __future__ import annotations

from collections.abc import Collection

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.passages.passage import Passage
from gateway.engine.passages.responses import ResponsesNarrator
from gateway.engine.surfaces.anthropic_form import COMMENT_PING, family_of, retold_passage
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.responses.to_anthropic import anthropic_request


class Responses:
    dialect = "openai"
    ping = COMMENT_PING

    def __init__(self, request: ResponsesRequest) -> None:
        self._request = request

    def passage(self, call: Call, target: Target, foreign: Collection[str] = ()) -> Passage:
        written = anthropic_request(
            self._request,
            model=target.upstream_model,
            family=family_of(target),
            max_output_tokens=call.model.max_output_tokens,
        )
        narrator = ResponsesNarrator(self._request, model=call.model.name)
        return retold_passage(written.body, narrator, call, target, foreign, dropped=written.dropped)
