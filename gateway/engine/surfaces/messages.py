"""Clients of Anthropic's own Messages API."""

from __future__ import annotations

from collections.abc import Collection

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.passages.passage import Passage
from gateway.engine.surfaces.anthropic_form import anthropic_passage
from gateway.protocol.anthropic.blocks import PING
from gateway.protocol.anthropic.request import MessageRequest


class Messages:
    dialect = "anthropic"
    ping = PING

    def passage(self, call: Call, target: Target, foreign: Collection[str] = ()) -> Passage:
        request = MessageRequest(call.body, call.model_requested, call.max_tokens, call.stream)
        return anthropic_passage(request, call, target, foreign, endpoint=call.endpoint)


MESSAGES = Messages()
