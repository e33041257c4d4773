"""The tools of a Responses request as Anthropic's, and the way back from the name of one that was called.

Functions are carried as they are. A custom tool, which takes text in a format of its own, becomes a function with
that text as its one field. Tools may stand in namespaces and may be given by an item of `input`; Codex does both.
Tools that OpenAI runs, and kinds unknown here, are left out and named: Codex always offers some.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.content import decoded
from gateway.protocol.anthropic.families import Family, Schemas
from gateway.protocol.anthropic.written import Tool
from gateway.protocol.chat import structured
from gateway.protocol.openai import schema
from gateway.protocol.openai.profile import SchemaRules
from gateway.protocol.openai.tools import ToolNames
from gateway.protocol.responses.items import items_of
from gateway.protocol.responses.request import ResponsesRequest

# A namespace that clients may leave unsaid: a tool in it is called by its name alone.
_PLAIN_NAMESPACE = "functions"


class Kind(enum.Enum):
    FUNCTION = "function"
    CUSTOM = "custom"


class Typed(msgspec.Struct):
    type: str


class Format(msgspec.Struct):
    """How a custom tool's text is written: `text`, or `grammar` with its syntax and definition."""

    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class Definition(msgspec.Struct):
    """The fields of every kind of tool; a namespace has `tools`. Unknown fields pass."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw()
    strict: bool | None = None
    format: Format | None = None
    tools: list[Definition] | None = None


class GivenTool(NamedTuple):
    """A tool that can be carried, as its caller knows it; `where` it was given."""

    kind: Kind
    name: str
    namespace: str | None
    definition: Definition
    where: str


class Toolbox(NamedTuple):
    """`tools` by the name that the model knows them by; `dropped` names the kinds that were left out."""

    tools: dict[str, GivenTool]
    dropped: tuple[str, ...]


_list = msgspec.json.Decoder(list[msgspec.Raw] | None)
_typed = msgspec.json.Decoder(Typed)
_definition = msgspec.json.Decoder(Definition)
_KINDS = {kind.value: kind for kind in Kind}

_TEXT_INPUT = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string",'
    b'"description":"The whole input of the tool, as plain text."}},'
    b'"required":["input"],"additionalProperties":false}'
)


def toolbox_of(request: ResponsesRequest) -> Toolbox:
    """All tools that the model may call; raises `InvalidRequest` with the place of a malformed one."""
    tools: dict[str, GivenTool] = {}
    dropped: dict[str, None] = {}
    for raw, where in _lists(request):
        for at, each in enumerate(decoded(raw, where, _list) or []):
            for tool in _given(each, f"{where}.{at}", dropped):
                tools[written_name(tool.namespace, tool.name)] = tool
    return Toolbox(tools, tuple(dropped))


def written_name(namespace: str | None, name: str) -> str:
    """The name that the model knows a tool by, the same in every request."""
    whole = name if namespace in (None, "", _PLAIN_NAMESPACE) else f"{namespace}__{name}"
    return ToolNames().shortened(whole)


def tool_from_given(name: str, given: GivenTool, family: Family, dropped: dict[str, None]) -> Tool:
    """Raises `InvalidRequest` for a schema that is none."""
    if given.kind is Kind.CUSTOM:
        return Tool(name, _TEXT_INPUT, _description_of_custom(given.definition))
    where = f"{given.where}.parameters"
    parameters = given.definition.parameters
    parameters = msgspec.Raw() if bytes(parameters) == b"null" else parameters
    parameters = schema.cleaned(parameters, SchemaRules(), where)
    strict = bool(given.definition.strict)
    if strict and family.schemas is Schemas.WORDS:
        strict = False
        dropped["tools.strict"] = None
    elif strict and family.schemas is Schemas.LIMITED:
        parameters = structured.limited(parameters, where)
    return Tool(name, parameters, given.definition.description or UNSET, strict or UNSET)


def _lists(request: ResponsesRequest) -> Iterator[tuple[msgspec.Raw, str]]:
    """Every list of tools and its place."""
    fields = request.body.fields
    if "tools" in fields:
        yield fields["tools"], "tools"
    if b'"additional_tools"' in request.body.raw:
        for at, item in enumerate(items_of(fields["input"])):
            if item.type == "additional_tools" and memoryview(item.tools):
                yield item.tools, f"input.{at}.tools"


def _given(raw: msgspec.Raw, where: str, dropped: dict[str, None]) -> Iterator[GivenTool]:
    """The tool, or those of the namespace, that `raw` defines."""
    kind = decoded(raw, where, _typed).type
    if kind != "namespace" and kind not in _KINDS:
        dropped[f"tools.{kind[:64]}"] = None
        return
    definition = decoded(raw, where, _definition)
    if not definition.name:
        raise InvalidRequest(f"{where}.name: Field required")
    if kind in _KINDS:
        yield GivenTool(_KINDS[kind], definition.name, None, definition, where)
        return
    for at, inner in enumerate(definition.tools or []):
        if inner.type not in _KINDS:
            dropped[f"tools.{inner.type[:64]}"] = None
        elif not inner.name:
            raise InvalidRequest(f"{where}.tools.{at}.name: Field required")
        else:
            yield GivenTool(_KINDS[inner.type], inner.name, definition.name, inner, f"{where}.tools.{at}")


def _description_of_custom(definition: Definition) -> str:
    format_ = definition.format or Format()
    told = [definition.description] if definition.description else []
    if format_.definition:
        told.append(f"`input` follows this {format_.syntax or ''} grammar:\n{format_.definition}")
    return "\n\n".join(told) or "Takes plain text as `input`."
