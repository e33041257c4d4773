"""The items of a Responses request as an Anthropic conversation.

Items are a flat list; Anthropic wants turns that alternate, begin with the user's, and answer every call of a turn
at the beginning of the next. So thoughts, words and calls in a row become one turn of the assistant, and what
stands before its next item one of the user: the results of the calls, wherever the caller put them, then all else.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.content import decoded
from gateway.protocol.anthropic.written import Attachment, Block, Document, Image, Text, ToolResult, ToolUse
from gateway.protocol.chat.arguments import input_from_arguments
from gateway.protocol.responses.items import Item, Part, parts_of
from gateway.protocol.responses.parts import blocks_from_parts
from gateway.protocol.responses.thoughts import Thinking, Thought, opened
from gateway.protocol.responses.tools import written_name

NO_RESULT = "(no result)"
# Anthropic has no conversation that the assistant begins, and none of a system prompt alone.
BEGINNING = "."

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_CALLS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "local_shell_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
}
_OUTPUTS = frozenset(_CALLS.values())
# What OpenAI ran or decided itself; its words are in the messages around it.
_LEFT_OUT = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call"}
    | {"computer_call_output", "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response"}
    | {"tool_search_call", "tool_search_output", "configuration_update", "program", "program_output"}
)

_value = msgspec.json.Decoder(str | dict[str, msgspec.Raw] | None)
_text = msgspec.json.Decoder(str)


class Message(msgspec.Struct):
    role: str
    content: list[Block | Thought]


class Conversation(NamedTuple):
    """`system` are the texts of the system prompt."""

    system: list[str]
    messages: list[Message]


def conversation_from_items(
    items: list[Item], *, unsigned_thoughts: bool, dropped: dict[str, None]
) -> Conversation:
    """Raises `InvalidRequest` with the place of what cannot be carried; `dropped` gets what was left out.

    `unsigned_thoughts`: thoughts that nobody signed are wanted too.
    """
    telling = _Telling(_outputs(items), unsigned_thoughts, dropped)
    for at, item in enumerate(items):
        telling.add(item, f"input.{at}")
    telling.end()
    if not telling.messages and not telling.system:
        raise InvalidRequest("input: at least one item must have content that is not empty")
    if not telling.messages or telling.messages[0].role != "user":
        telling.messages.insert(0, Message("user", [Text(BEGINNING)]))
    return Conversation(telling.system, telling.messages)


class _Output(NamedTuple):
    item: Item
    where: str


def _outputs(items: list[Item]) -> dict[str, deque[_Output]]:
    """The outputs by the call that they answer, in the order in which they stand there."""
    found: dict[str, deque[_Output]] = defaultdict(deque)
    for at, item in enumerate(items):
        if item.type in _OUTPUTS:
            found[_call_id(item, f"input.{at}")].append(_Output(item, f"input.{at}"))
    return found


def _call_id(item: Item, where: str) -> str:
    call_id = item.call_id or (item.id if item.type == "local_shell_call_output" else None)
    if not call_id:
        raise InvalidRequest(f"{where}.call_id: Field required")
    return call_id


class _Telling:
    """Items in, turns out.

    The last message is the assistant's turn while it is `_speaking`; `_results` answer the calls of that turn, and
    with what the user `_said` they make the next one.
    """

    def __init__(
        self, outputs: dict[str, deque[_Output]], unsigned_thoughts: bool, dropped: dict[str, None]
    ) -> None:
        self.system: list[str] = []
        self.messages: list[Message] = []
        self._outputs = outputs
        self._unsigned_thoughts = unsigned_thoughts
        self._dropped = dropped
        self._tool_use_ids: set[str] = set()
        self._speaking = False
        self._results: list[ToolResult] = []
        self._said: list[Attachment] = []

    def add(self, item: Item, where: str) -> None:
        if item.type in _CALLS:
            self._call(item, where)
        elif item.type in _OUTPUTS:
            self._speaking = False
        elif item.type == "message":
            self._message(item, where)
        elif item.type == "reasoning":
            self._thought(item)
        elif item.type == "agent_message":
            self._user(blocks_from_parts(item.content, f"{where}.content"))
        elif item.type in _LEFT_OUT:
            self._dropped[f"input.{item.type}"] = None
        elif item.type != "additional_tools":
            raise InvalidRequest(
                f"{where}.type: '{item.type[:64]}' items cannot be carried to this model's provider"
            )

    def end(self) -> None:
        self._end_turns()
        for unclaimed in self._outputs.values():
            for item, where in unclaimed:
                raise InvalidRequest(
                    f"{where}: No tool call found for tool call output with call_id {_call_id(item, where)}."
                )
        if self.messages and self.messages[-1].role == "assistant":
            _strip_end(self.messages[-1])

    def _message(self, item: Item, where: str) -> None:
        blocks = blocks_from_parts(item.content, f"{where}.content")
        if item.role in ("system", "developer"):
            self.system += [block.text for block in _only_texts(blocks, where)]
        elif item.role == "user":
            self._user(blocks)
        elif item.role == "assistant":
            self._assistant(_only_texts(blocks, where))
        else:
            raise InvalidRequest(
                f"{where}.role: Input should be 'user', 'assistant', 'system' or 'developer'"
            )

    def _thought(self, item: Item) -> None:
        """Signed ones go back as they were; of others only a provider that signs nothing wants the summary."""
        thought = opened(item.encrypted_content)
        if thought is None:
            told = "\n\n".join(part.text for part in [*(item.summary or []), *_parts(item)] if part.text)
            thought = Thinking(told) if told and self._unsigned_thoughts else None
        if thought is not None:
            self._assistant([thought])
        else:
            self._dropped["input.reasoning"] = None

    def _call(self, item: Item, where: str) -> None:
        call_id = _call_id(item, where)
        tool_use_id = self._tool_use_id(call_id, where)
        self._assistant([_tool_use(item, tool_use_id, where)])
        answers = self._outputs.get(call_id)
        content = _result_content(*answers.popleft()) if answers else NO_RESULT
        self._results.append(ToolResult(tool_use_id, content))

    def _tool_use_id(self, call_id: str, where: str) -> str:
        """The client's id where Anthropic takes it and no earlier call has it; else one that stays the same."""
        if not _ID.fullmatch(call_id) or call_id in self._tool_use_ids:
            call_id = "toolu_01" + hashlib.sha256(f"{where}/{call_id}".encode()).hexdigest()[:22]
        self._tool_use_ids.add(call_id)
        return call_id

    def _user(self, blocks: list[Attachment]) -> None:
        if blocks:
            self._speaking = False
            self._said += blocks

    def _assistant(self, blocks: Sequence[Block | Thought]) -> None:
        if not blocks:
            return
        if not self._speaking:
            self._end_turns()
        if not self.messages or self.messages[-1].role == "user":
            self.messages.append(Message("assistant", []))
        self.messages[-1].content += blocks
        self._speaking = True

    def _end_turns(self) -> None:
        """The assistant's turn has ended, and the user's after it."""
        if self.messages and self.messages[-1].role == "assistant":
            self.messages[-1].content = _ordered(self.messages[-1].content)
            if not self.messages[-1].content:
                self.messages.pop()
        if self._results or self._said:
            if not self.messages or self.messages[-1].role == "assistant":
                self.messages.append(Message("user", []))
            self.messages[-1].content += [*self._results, *self._said]
        self._results, self._said = [], []


def _parts(item: Item) -> list[Part]:
    return item.content if isinstance(item.content, list) else []


def _only_texts(blocks: list[Attachment], where: str) -> list[Text]:
    texts = [block for block in blocks if isinstance(block, Text)]
    if len(texts) < len(blocks):
        raise InvalidRequest(f"{where}.content: only a user's message can hold images and files")
    return texts


def _tool_use(item: Item, tool_use_id: str, where: str) -> ToolUse:
    if item.type not in ("function_call", "custom_tool_call"):
        given = item.operation if memoryview(item.operation) else item.action
        value = input_from_arguments(decoded(given, f"{where}.action", _value), f"{where}.action")
        return ToolUse(tool_use_id, item.type.removesuffix("_call"), value)
    if not item.name:
        raise InvalidRequest(f"{where}.name: Field required")
    name = written_name(item.namespace, item.name)
    if item.type == "custom_tool_call":
        return ToolUse(tool_use_id, name, msgspec.Raw(msgspec.json.encode({"input": item.input or ""})))
    arguments = decoded(item.arguments, f"{where}.arguments", _value) if memoryview(item.arguments) else None
    return ToolUse(tool_use_id, name, input_from_arguments(arguments, f"{where}.arguments"))


def _result_content(item: Item, where: str) -> str | list[Text | Image | Document] | UnsetType:
    """A string or parts; what a shell or a patch gave back is told as the JSON that it is."""
    raw = bytes(item.output)
    if raw in (b"", b"null", b'""', b"[]"):
        return UNSET
    if raw.startswith(b'"'):
        return decoded(item.output, f"{where}.output", _text)
    if item.type in ("shell_call_output", "apply_patch_call_output") or not raw.startswith(b"["):
        return raw.decode()
    blocks = blocks_from_parts(parts_of(item.output, f"{where}.output"), f"{where}.output")
    if len(blocks) == 1 and isinstance(blocks[0], Text):
        return blocks[0].text
    return blocks or UNSET


def _ordered(content: list[Block | Thought]) -> list[Block | Thought]:
    """Calls last, as Anthropic wants them, and no thought that led to nothing, which it refuses."""
    calls = [block for block in content if isinstance(block, ToolUse)]
    rest = [block for block in content if not isinstance(block, ToolUse)]
    while rest and not calls and isinstance(rest[-1], Thought):
        rest.pop()
    return [*rest, *calls]


def _strip_end(last: Message) -> None:
    """Anthropic goes on from a last message of the assistant, and refuses one that ends in white space."""
    block = last.content[-1]
    if isinstance(block, Text):
        block.text = block.text.rstrip()
