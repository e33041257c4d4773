"""Chat messages as an Anthropic conversation.

Anthropic wants turns that alternate, begins with the user's, and wants every call of a turn answered at the
beginning of the next one. So what stands between two messages of the assistant becomes one user message: results
in the order of the calls, then all else.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.content import decoded
from gateway.protocol.anthropic.written import Attachment, Block, Message, Text, ToolResult, ToolUse
from gateway.protocol.chat.arguments import input_from_arguments
from gateway.protocol.chat.parts import Part, blocks_from_part, texts
from gateway.protocol.openai.completion import FunctionCall

NO_RESULT = "(no result)"
# Anthropic has no conversation that the assistant begins, and none of a system prompt alone.
BEGINNING = "."

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_ASSISTANT_PARTS = ("text", "refusal")


class Call(msgspec.Struct):
    id: str | None = None
    type: str = "function"
    function: FunctionCall | None = None


class ChatMessage(msgspec.Struct):
    """The fields of every role. Unknown ones pass; `audio` is an earlier spoken answer."""

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: msgspec.Raw = msgspec.Raw()
    reasoning_content: msgspec.Raw = msgspec.Raw()
    reasoning: msgspec.Raw = msgspec.Raw()


class Conversation(NamedTuple):
    """`system` are the texts of the system prompt."""

    system: list[str]
    messages: list[Message]


_messages = msgspec.json.Decoder(list[ChatMessage])


def conversation_from_chat(raw: msgspec.Raw, dropped: dict[str, None]) -> Conversation:
    """Raises `InvalidRequest` with the place of what cannot be carried; `dropped` gets what was left out."""
    telling = _Telling(dropped)
    messages = decoded(raw, "messages", _messages)
    for at, message in enumerate(messages):
        telling.add(message, at)
    telling.end()
    if not telling.messages and not telling.system:
        raise InvalidRequest("messages: at least one message must have content that is not empty")
    if not telling.messages or telling.messages[0].role != "user":
        telling.messages.insert(0, Message("user", BEGINNING))
    return Conversation(telling.system, telling.messages)


class _Asked(NamedTuple):
    """A call that waits for its result, by the client's id and by Anthropic's."""

    client_id: str
    name: str
    tool_use_id: str


class _Telling:
    """Messages in, turns out; `_calls`, `_results` and `_said` are the user's turn so far."""

    def __init__(self, dropped: dict[str, None]) -> None:
        self.system: list[str] = []
        self.messages: list[Message] = []
        self._dropped = dropped
        self._taken: set[str] = set()
        self._calls: list[_Asked] = []
        self._results: dict[str, ToolResult] = {}
        self._said: list[Block] = []

    def add(self, message: ChatMessage, at: int) -> None:
        where = f"messages.{at}"
        if message.name is not None and message.role != "function":
            self._dropped["messages.name"] = None
        if message.role in ("system", "developer"):
            self.system += _texts(message, where)
        elif message.role == "user":
            self._said += _blocks(message, where)
        elif message.role in ("tool", "function"):
            self._result(message, where)
        elif message.role == "assistant":
            self._end_of_users_turn()
            self._assistant(message, where)
        else:
            raise InvalidRequest(
                f"{where}.role: Input should be 'developer', 'system', 'user', 'assistant' or 'tool'"
            )

    def end(self) -> None:
        self._end_of_users_turn()
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == "assistant":
            _strip_end(last)
        for each in self.messages:
            if len(each.content) == 1 and isinstance(each.content[0], Text):
                each.content = each.content[0].text

    def _end_of_users_turn(self) -> None:
        results = [
            self._results.get(call.tool_use_id) or ToolResult(call.tool_use_id, NO_RESULT)
            for call in self._calls
        ]
        if results or self._said:
            self.messages.append(Message("user", [*results, *self._said]))
        self._calls, self._results, self._said = [], {}, []

    def _result(self, message: ChatMessage, where: str) -> None:
        call = self._call_answered_by(message, where)
        if call.tool_use_id in self._results:
            raise InvalidRequest(f"{where}.tool_call_id: the call {call.client_id!r} has two results")
        blocks = _blocks(message, where)
        content = blocks[0].text if len(blocks) == 1 and isinstance(blocks[0], Text) else blocks or UNSET
        self._results[call.tool_use_id] = ToolResult(call.tool_use_id, content)

    def _call_answered_by(self, message: ChatMessage, where: str) -> _Asked:
        if message.role == "function":
            field, told = "name", message.name
            found = [call for call in self._calls if call.name == told]
        else:
            field, told = "tool_call_id", message.tool_call_id
            found = [call for call in self._calls if call.client_id == told]
        if told is None:
            raise InvalidRequest(f"{where}.{field}: Field required")
        if not found:
            raise InvalidRequest(
                f"{where}.{field}: '{told[:64]}' is none of the calls of the assistant's message before"
            )
        return found[0]

    def _assistant(self, message: ChatMessage, where: str) -> None:
        if message.audio not in (msgspec.Raw(), msgspec.Raw(b"null")):
            raise InvalidRequest(f"{where}.audio: cannot be carried to this model's provider")
        if _is_told(message.reasoning_content) or _is_told(message.reasoning):
            self._dropped["messages.reasoning_content"] = None  # unsigned, and Anthropic takes only its own
        blocks: list[Block] = [*_blocks(message, where), *texts(message.refusal)]
        blocks += self._tool_uses(message, where)
        if not blocks:
            return
        if self.messages and self.messages[-1].role == "assistant":
            self.messages[-1].content = [*self.messages[-1].content, *blocks]
        else:
            self.messages.append(Message("assistant", blocks))

    def _tool_uses(self, message: ChatMessage, where: str) -> list[ToolUse]:
        calls = message.tool_calls or []
        uses = [self._tool_use(call, f"{where}.tool_calls.{at}") for at, call in enumerate(calls)]
        if message.function_call is not None and not calls:
            name = message.function_call.name
            call = Call(f"function_{name}", function=message.function_call)
            uses.append(self._tool_use(call, f"{where}.function_call"))
        return uses

    def _tool_use(self, call: Call, where: str) -> ToolUse:
        if call.type != "function":
            raise InvalidRequest(
                f"{where}.type: '{call.type[:64]}' calls cannot be carried to this model's provider"
            )
        if not call.id:
            raise InvalidRequest(f"{where}.id: Field required")
        if call.function is None or not call.function.name:
            raise InvalidRequest(f"{where}.function.name: Field required")
        if any(asked.client_id == call.id for asked in self._calls):
            raise InvalidRequest(f"{where}.id: '{call.id[:64]}' is another call's id too")
        name = call.function.name
        asked = _Asked(call.id, name, self._tool_use_id(call.id, where))
        self._calls.append(asked)
        given = input_from_arguments(call.function.arguments, f"{where}.function.arguments")
        return ToolUse(asked.tool_use_id, name, given)

    def _tool_use_id(self, call_id: str, where: str) -> str:
        """The client's id where Anthropic takes it and no earlier turn has it; else one that stays the same."""
        if not _ID.fullmatch(call_id) or call_id in self._taken:
            call_id = "toolu_01" + hashlib.sha256(f"{where}/{call_id}".encode()).hexdigest()[:22]
        self._taken.add(call_id)
        return call_id


def _texts(message: ChatMessage, where: str) -> list[str]:
    if isinstance(message.content, list):
        for at, part in enumerate(message.content):
            if part.type != "text":
                raise InvalidRequest(f"{where}.content.{at}.type: Input should be 'text'")
    return [block.text for block in _blocks(message, where) if isinstance(block, Text)]


def _blocks(message: ChatMessage, where: str) -> list[Attachment]:
    if not isinstance(message.content, list):
        return texts(message.content)
    blocks = []
    for at, part in enumerate(message.content):
        if message.role == "assistant" and part.type not in _ASSISTANT_PARTS:
            raise InvalidRequest(f"{where}.content.{at}.type: Input should be 'text' or 'refusal'")
        blocks += blocks_from_part(part, f"{where}.content.{at}")
    return blocks


def _is_told(value: msgspec.Raw) -> bool:
    return bytes(value) not in (b"", b"null", b'""')


def _strip_end(message: Message) -> None:
    """Anthropic goes on from a last message of the assistant, and refuses one that ends in white space."""
    last = message.content[-1]
    if isinstance(last, Text):
        last.text = last.text.rstrip()
