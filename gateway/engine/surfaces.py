"""The ways in which clients speak to the gateway; each finds the passage of a call to a target."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

from gateway.directory.catalog import Target
from gateway.engine.passages.chat import ChatNarrator, ChatRelayed
from gateway.engine.passages.passage import Passage
from gateway.engine.passages.relayed import Relayed
from gateway.engine.passages.responses import ResponsesNarrator
from gateway.engine.passages.retold import Retold
from gateway.engine.passages.translated import Names, Translated
from gateway.protocol import body as guarded
from gateway.protocol.anthropic import families
from gateway.protocol.anthropic.blocks import PING
from gateway.protocol.anthropic.families import Family
from gateway.protocol.anthropic.request import MessageRequest, message_request
from gateway.protocol.chat import to_anthropic as from_chat
from gateway.protocol.chat.request import ChatRequest
from gateway.protocol.responses import to_anthropic as from_responses
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.vendors import Vendor, vendor_of

if TYPE_CHECKING:
    from gateway.engine.call import Call

COMMENT_PING = b": ping\n\n"  # OpenAI's SDKs take an event of their name for an answer, but skip comments


class Surface(Protocol):
    """`dialect` is that of the errors a client understands, `ping` what keeps its silent stream alive."""

    dialect: str
    ping: bytes

    def passage(self, call: Call, target: Target) -> Passage:
        """Raises `InvalidRequest` for what cannot be carried to this target."""
        ...


class Messages:
    """Anthropic's own Messages API."""

    dialect = "anthropic"
    ping = PING

    def passage(self, call: Call, target: Target) -> Passage:
        request = MessageRequest(call.body, call.model_requested, call.max_tokens, call.stream)
        return anthropic_passage(request, call, target, endpoint=call.endpoint)


MESSAGES = Messages()


class ChatCompletions:
    """OpenAI's Chat Completions API."""

    dialect = "openai"
    ping = COMMENT_PING

    def __init__(self, request: ChatRequest) -> None:
        self._request = request

    def passage(self, call: Call, target: Target) -> Passage:
        if target.dialect == "openai":
            return ChatRelayed(self._request, names=Names(call.model.name, target.upstream_model))
        written = from_chat.anthropic_request(
            self._request,
            model=target.upstream_model,
            family=family_of(target),
            max_output_tokens=call.model.max_output_tokens,
        )
        inner = anthropic_passage(message_request(guarded.parse(written.body)), call, target)
        narrator = ChatNarrator(self._request, model=call.model.name)
        return Retold(inner, narrator, stream=call.stream, dropped=written.dropped)


class Responses:
    """OpenAI's Responses API."""

    dialect = "openai"
    ping = COMMENT_PING

    def __init__(self, request: ResponsesRequest) -> None:
        self._request = request

    def passage(self, call: Call, target: Target) -> Passage:
        written = from_responses.anthropic_request(
            self._request,
            model=target.upstream_model,
            family=family_of(target),
            max_output_tokens=call.model.max_output_tokens,
        )
        inner = anthropic_passage(message_request(guarded.parse(written.body)), call, target)
        narrator = ResponsesNarrator(self._request, model=call.model.name)
        return Retold(inner, narrator, stream=call.stream, dropped=written.dropped)


def anthropic_passage(
    request: MessageRequest, call: Call, target: Target, *, endpoint: str = "messages"
) -> Passage:
    """The passage of a request that is in Anthropic's words."""
    if target.dialect != "openai":
        return Relayed(
            request.body, endpoint=endpoint, model=target.upstream_model, request_id=call.request_id
        )
    return Translated(
        request,
        names=Names(call.model.name, target.upstream_model),
        profile=vendor(target).profile_of(target.upstream_model),
        max_output_tokens=call.model.max_output_tokens,
        request_id=call.request_id,
    )


def family_of(target: Target) -> Family:
    """What may be said in Anthropic's words: all of it where they are only the way to another dialect."""
    return families.OPEN if target.dialect == "openai" else families.family_of(target.upstream_model)


@functools.lru_cache(maxsize=1024)
def vendor(target: Target) -> Vendor:
    return vendor_of(target.preset, target.dialect, target.base_url)
