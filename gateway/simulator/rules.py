"""What a provider refuses although it is well-formed, in the provider's words.

The gateway has looked at `model`, `max_tokens`, `messages` and `stream` before; all else is checked here.
"""

from __future__ import annotations

import re

import msgspec

from gateway.errors import InvalidRequest
from gateway.simulator.request import Block, Message, Request, Tool

WINDOW = 200_000  # tokens; the catalog says the same of the simulated models

_BLOCKS = {
    "user": ("text", "image", "document", "search_result", "tool_result", "container_upload"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"),
}
_BLOCK_ENDING = "_tool_result"  # results of server tools, in assistant turns
_NEEDS = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "search_result": ("source", "content"),
    "tool_result": ("tool_use_id",),
    "tool_use": ("id", "name", "input"),
    "server_tool_use": ("id", "name", "input"),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d)(?:-(\d))?(?:-|$)")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES = ("auto", "any", "tool", "none")
_THINKING = ("enabled", "adaptive", "between_tools", "disabled")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def check(asked: Request, version: str) -> None:
    """Raise `InvalidRequest` for the first thing that a provider would refuse."""
    _check_thread(asked)
    _check_sampling(asked, version)
    check_prompt(asked)
    _check_thinking(asked)
    for position, sequence in enumerate(asked.stop_sequences or []):
        if not sequence.strip():
            raise InvalidRequest(f"stop_sequences.{position}: each stop sequence must contain non-whitespace")


def check_length(input_tokens: int) -> None:
    """Raise `InvalidRequest`, in the words that clients know, for a prompt beyond the models' window."""
    if input_tokens > WINDOW:
        raise InvalidRequest(f"prompt is too long: {input_tokens} tokens > {WINDOW} maximum")


def check_prompt(asked: Request) -> None:
    """The part that counting tokens checks too: messages, tools, the wanted shape."""
    _check_messages(asked.messages, asked.model)
    if isinstance(asked.system, list):
        for position, block in enumerate(asked.system):
            if block.type != "text":
                raise InvalidRequest(f"system.{position}.type: Input should be 'text'")
            _check_fields(block, f"system.{position}")
    _check_tools(asked.tools or [])
    _check_choice(asked)
    _check_output(asked)


def _check_thread(asked: Request) -> None:
    """Nothing is held between requests; on this error code the SDKs' tool runners send the whole history."""
    if bytes(asked.thread) != b"null":
        raise InvalidRequest(
            "thread: the simulator holds no conversations", error_code="thread_unsupported_request"
        )


def _check_sampling(asked: Request, version: str) -> None:
    given = {"temperature": asked.temperature, "top_p": asked.top_p, "top_k": asked.top_k}
    for name, value in given.items():
        if value is None:
            continue
        if version != "2023-06-01":
            raise InvalidRequest(f"{name}: Extra inputs are not permitted")
        if value < 0:
            raise InvalidRequest(f"{name}: Input should be greater than or equal to 0")
        if name != "top_k" and value > 1:
            raise InvalidRequest(f"{name}: Input should be less than or equal to 1")


def _check_messages(messages: list[Message], model: str) -> None:
    if not messages:
        raise InvalidRequest("messages: at least one message is required")
    called: set[str] = set()
    for position, message in enumerate(messages):
        where = f"messages.{position}"
        if message.role == "system":
            _check_system_turn(messages, position, model)
            continue
        if message.role not in _BLOCKS:
            raise InvalidRequest(f"{where}.role: Input should be 'user' or 'assistant'")
        if position == 0 and message.role != "user":
            raise InvalidRequest('messages: first message must use the "user" role')
        called = _check_turn(message, where, called, last=position == len(messages) - 1)


def _check_system_turn(messages: list[Message], position: int, model: str) -> None:
    """Models since 4.8 take instructions between a user's turn and the assistant's."""
    where = f"messages.{position}"
    version = _VERSION.match(model)
    if version and (int(version[1]), int(version[2] or 0)) < (4, 8):
        raise InvalidRequest(f"{where}: role 'system' is not supported on this model")
    before = messages[position - 1].role if position else ""
    after = messages[position + 1].role if position + 1 < len(messages) else "assistant"
    if before != "user" or after != "assistant":
        raise InvalidRequest(
            f"{where}: a system message must follow a user message "
            "and be the last one or before an assistant's"
        )
    for number, block in enumerate(messages[position].blocks):
        if block.type != "text":
            raise InvalidRequest(f"{where}.content.{number}.type: Input should be 'text'")
        _check_fields(block, f"{where}.content.{number}")


def _check_turn(message: Message, where: str, called: set[str], *, last: bool) -> set[str]:
    """Check one message against the tool calls that wait for results; returns those that wait after it."""
    if not message.content and not (last and message.role == "assistant"):
        raise InvalidRequest(
            f"{where}: all messages must have non-empty content "
            "except for the optional final assistant message"
        )
    blocks = message.blocks if message.content else []
    for position, block in enumerate(blocks):
        _check_block(block, message.role, f"{where}.content.{position}")
    if message.role == "user":
        _check_results(blocks, where, called)
        return set()
    called = called | {block.id or "" for block in blocks if block.type == "tool_use"}
    ended = blocks[-1].text if blocks and blocks[-1].type == "text" else None
    if last and ended and ended != ended.rstrip():
        raise InvalidRequest("messages: final assistant content cannot end with trailing whitespace")
    return called


def _check_block(block: Block, role: str, where: str) -> None:
    if not (block.type in _BLOCKS[role] or (role == "assistant" and block.type.endswith(_BLOCK_ENDING))):
        raise _unknown_tag(where, block.type, _BLOCKS[role])
    _check_fields(block, where)


def _check_fields(block: Block, where: str) -> None:
    for field in _NEEDS.get(block.type, ()):
        if getattr(block, field) in (None, msgspec.Raw()):
            raise InvalidRequest(f"{where}.{block.type}.{field}: Field required")
    if block.type == "text" and not (block.text or "").strip():
        raise InvalidRequest(f"{where}: text content blocks must contain non-whitespace text")
    if block.type in ("tool_use", "server_tool_use") and not bytes(block.input).lstrip().startswith(b"{"):
        raise InvalidRequest(f"{where}.{block.type}.input: Input should be a valid dictionary")


def _check_results(blocks: list[Block], where: str, called: set[str]) -> None:
    answered = {block.tool_use_id or "" for block in blocks if block.type == "tool_result"}
    if stray := sorted(answered - called):
        raise InvalidRequest(
            f"{where}.content: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(stray)}. "
            "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
        )
    if open_calls := sorted(called - answered):
        raise InvalidRequest(
            f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(open_calls)}. "
            "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        )


def _check_tools(tools: list[Tool]) -> None:
    names: set[str] = set()
    for position, tool in enumerate(tools):
        where = f"tools.{position}.{'custom' if tool.is_custom else tool.type}"
        if tool.is_custom:
            _check_custom(tool, where)
        if tool.name in names:
            raise InvalidRequest("tools: Tool names must be unique.")
        names |= {tool.name} if tool.name else set()


def _check_custom(tool: Tool, where: str) -> None:
    if tool.name is None:
        raise InvalidRequest(f"{where}.name: Field required")
    if not _TOOL_NAME.fullmatch(tool.name):
        raise InvalidRequest(f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if not bytes(tool.input_schema):
        raise InvalidRequest(f"{where}.input_schema: Field required")
    if not bytes(tool.input_schema).lstrip().startswith(b"{"):
        raise InvalidRequest(f"{where}.input_schema: Input should be a valid dictionary")
    if msgspec.json.decode(tool.input_schema).get("type") != "object":
        raise InvalidRequest(f"{where}.input_schema.type: Input should be 'object'")


def _check_choice(asked: Request) -> None:
    choice = asked.tool_choice
    if choice is None:
        return
    if choice.type not in _CHOICES:
        raise _unknown_tag("tool_choice", choice.type, _CHOICES)
    if choice.type == "none":
        return
    if not asked.tools:
        raise InvalidRequest("tool_choice: tool_choice may only be specified while providing tools")
    if choice.type == "tool" and choice.name is None:
        raise InvalidRequest("tool_choice.tool.name: Field required")
    if choice.type == "tool" and choice.name not in {tool.name for tool in asked.tools}:
        raise InvalidRequest(f"tool_choice.name: Tool '{choice.name}' not found in provided tools")


def _check_output(asked: Request) -> None:
    config, wanted = asked.output_config, asked.answer_format
    if config and config.effort and config.effort not in _EFFORTS:
        raise InvalidRequest(f"output_config.effort: Input should be {_listed(_EFFORTS)}")
    if wanted and wanted.type != "json_schema":
        raise InvalidRequest("output_config.format.type: Input should be 'json_schema'")
    if wanted and not bytes(wanted.schema).lstrip().startswith(b"{"):
        raise InvalidRequest("output_config.format.schema: Field required")


def _check_thinking(asked: Request) -> None:
    thinking = asked.thinking
    if thinking is None or thinking.type == "disabled":
        return
    if thinking.type not in _THINKING:
        raise _unknown_tag("thinking", thinking.type, _THINKING)
    if thinking.type == "enabled":
        _check_budget(thinking.budget_tokens, asked.max_tokens)
    if asked.tool_choice and asked.tool_choice.type in ("any", "tool"):
        raise InvalidRequest("Thinking may not be enabled when tool_choice forces tool use.")
    if asked.temperature not in (None, 1):
        raise InvalidRequest("`temperature` may only be set to 1 when thinking is enabled.")


def _check_budget(budget: int | None, max_tokens: int) -> None:
    if budget is None:
        raise InvalidRequest("thinking.enabled.budget_tokens: Field required")
    if budget < 1024:
        raise InvalidRequest("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= max_tokens:
        raise InvalidRequest("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _unknown_tag(where: str, given: str, known: tuple[str, ...]) -> InvalidRequest:
    return InvalidRequest(
        f"{where}: Input tag '{given}' found using 'type' "
        f"does not match any of the expected tags: {_listed(known)}"
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
