"""What differs between the models that speak the OpenAI dialect, as rows.

A difference between two models is a field here and a value in a row, never a name compared elsewhere.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class ReasoningHistory(enum.Enum):
    """What becomes of the thinking of earlier turns."""

    DROPPED = "dropped"
    BESIDE_TOOL_CALLS = "sent back with turns that call tools, refused with others"
    ALWAYS = "sent back with every turn"


class StructuredOutput(enum.Enum):
    SCHEMA = "response_format takes a JSON schema"
    OBJECT = "response_format takes json_object only; the schema is told in words"


@dataclass(frozen=True, slots=True)
class SchemaRules:
    """What a provider refuses inside a tool's JSON schema. `formats` None means any."""

    removed: frozenset[str] = frozenset()
    formats: frozenset[str] | None = None
    inline_references: bool = False
    const_as_enum: bool = False
    nullable_types: bool = False

    @property
    def deep(self) -> bool:
        return self != _LENIENT


_LENIENT = SchemaRules()


@dataclass(frozen=True, slots=True)
class Profile:
    """How to write to one family of models.

    `efforts` are the words that `reasoning_effort` takes, none for a model that does not reason.
    `stop_limit` is how many stop sequences the provider matches. `call_id_length` is an exact length.
    """

    max_tokens_field: str = "max_tokens"
    stream_options: bool = True
    developer_role: bool = False
    system_turns: bool = True
    sampling: bool = True
    top_k: bool = False
    stop_limit: int = 4
    efforts: tuple[str, ...] = ()
    thinking_switch: bool = False
    reasoning_history: ReasoningHistory = ReasoningHistory.DROPPED
    reasoning_field: str = "reasoning_content"
    pdf: bool = False
    structured_output: StructuredOutput = StructuredOutput.SCHEMA
    strict_tools: bool = True
    parallel_switch: bool = True
    call_id_length: int | None = None
    prefill_flag: bool = False
    user_field: bool = False
    schema: SchemaRules = field(default=_LENIENT)


DEFAULT = Profile()

OPENAI = Profile(max_tokens_field="max_completion_tokens", pdf=True, user_field=True)
OPENAI_REASONING = Profile(
    max_tokens_field="max_completion_tokens",
    developer_role=True,
    sampling=False,
    stop_limit=0,
    efforts=("minimal", "low", "medium", "high"),
    pdf=True,
    user_field=True,
)
DEEPSEEK = Profile(
    thinking_switch=True,
    reasoning_history=ReasoningHistory.BESIDE_TOOL_CALLS,
    structured_output=StructuredOutput.OBJECT,
    strict_tools=False,
    parallel_switch=False,
)
MISTRAL = Profile(call_id_length=9, prefill_flag=True, strict_tools=False)
_REFUSED_BY_GEMINI = frozenset(
    {"$comment", "$id", "$anchor", "$schema", "if", "then", "else", "not", "contains", "examples"}
    | {"additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties"}
    | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"}
)
GEMINI = Profile(
    efforts=("none", "minimal", "low", "medium", "high"),
    parallel_switch=False,
    strict_tools=False,
    schema=SchemaRules(
        removed=_REFUSED_BY_GEMINI,
        formats=frozenset(("enum", "date-time", "int32", "int64", "float", "double")),
        inline_references=True,
        const_as_enum=True,
        nullable_types=True,
    ),
)
# Engines that people run themselves; they read extensions and do not know the newest fields.
LOCAL = Profile(top_k=True, strict_tools=False, parallel_switch=False)
