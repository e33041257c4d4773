"""Clients of OpenAI's Chat Completions API: relayed to providers that speak it too, retold elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.passages.chat import ChatNarrator, ChatRelayed
from gateway.engine.passages.passage import Passage
from gateway.engine.passages.translated import Names
from gateway.engine.surfaces.anthropic_form import COMMENT_PING, family_of, retold_passage
from gateway.protocol.chat.request import ChatRequest
from gateway.protocol.chat.to_anthropic import anthropic_request


class ChatCompletions:
    dialect = "openai"
    ping = COMMENT_PING

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    def passage(self, call: Call, target: Target, foreign: Collection[str] = ()) -> Passage:
        if target.dialect == "openai":
            asks_usage = target.vendor.profile_of(target.upstream_model).stream_options
            names = Names(call.model.name, target.upstream_model)
            return ChatRelayed(self._request, names=names, ask_usage=asks_usage)
        written = anthropic_request(
            self._request,
            model=target.upstream_model,
            family=family_of(target),
            max_output_tokens=call.model.max_output_tokens,
        )
        narrator = ChatNarrator(self._request, model=call.model.name)
        return retold_passage(written.body, narrator, call, target, foreign, dropped=written.dropped)
