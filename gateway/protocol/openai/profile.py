"""What differs between the models that speak the OpenAI dialect, as rows.

A difference between two models is a field here and a value in a row, never a name compared elsewhere. A row is a
habit that vendors share; which models have it is told in `gateway/protocol/vendors.py`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class ReasoningHistory(enum.Enum):
    """What becomes of the thinking of earlier turns."""

    DROPPED = "dropped"
    BESIDE_TOOL_CALLS = "sent back with turns that call tools, refused with others"
    ALWAYS = "sent back with every turn"


class StructuredOutput(enum.Enum):
    SCHEMA = "response_format takes a JSON schema"
    OBJECT = "response_format takes json_object only; the schema is told in words"
    WORDS = "no response_format that every model takes; the schema is told in words"


class Switch(enum.Enum):
    """How thinking is turned on and off, beside or instead of an effort."""

    TYPE = "thinking.type is enabled or disabled"
    ADAPTIVE = "thinking.type is adaptive or disabled"
    FLAG = "enable_thinking is true or false"


class EffortBesideTools(enum.Enum):
    AS_ASKED = "any effort"
    OMITTED = "no effort is taken in a request with tools"
    NONE = "the effort must be `none` in a request with tools"


class ForcedTools(enum.Enum):
    """Whether a model can be made to call a tool, or a certain one."""

    TAKEN = "yes"
    BY_WORD = "`required` is taken, a name is not"
    WITHOUT_THINKING = "while thinking is off"
    NEVER = "no, `auto` comes nearest"


class ReasoningApart(enum.Enum):
    """What to ask for, where reasoning would otherwise stand in the text between <think> tags."""

    SPLIT = "reasoning_split"
    FORMAT = "reasoning_format"


class TurnOrder(enum.Enum):
    FREE = "any"
    ASSISTANT_AFTER_TOOL = "the assistant speaks between the result of a tool and the user"
    ALTERNATING = "two messages of the user are one"


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

    `efforts`            the words that `reasoning_effort` takes, none for a model that does not reason
    `stop_limit`         how many stop sequences the provider matches
    `reasoning_field`    where reasoning goes back, as far as `reasoning_history` says
    `missing_reasoning`  what stands there for a turn that has none; None where the field may be left out
    `call_id_length`     an exact length
    `call_signature`     what stands for the signature that a model gave its calls and no client carries
    """

    max_tokens_field: str = "max_tokens"
    stream_options: bool = True
    developer_role: bool = False
    system_turns: bool = True
    turn_order: TurnOrder = TurnOrder.FREE
    sampling: bool = True
    top_k: bool = False
    stop_limit: int = 4
    efforts: tuple[str, ...] = ()
    effort_beside_tools: EffortBesideTools = EffortBesideTools.AS_ASKED
    thinking_switch: Switch | None = None
    reasoning_apart: ReasoningApart | None = None
    reasoning_history: ReasoningHistory = ReasoningHistory.DROPPED
    reasoning_field: str = "reasoning_content"
    missing_reasoning: str | None = None
    pdf: bool = False
    structured_output: StructuredOutput = StructuredOutput.SCHEMA
    strict_tools: bool = True
    forced_tools: ForcedTools = ForcedTools.TAKEN
    parallel_switch: bool = True
    call_id_length: int | None = None
    call_signature: str | None = None
    prefill_flag: bool = False
    user_field: bool = False
    schema: SchemaRules = field(default=_LENIENT)


LOW_TO_HIGH = ("low", "medium", "high")
LOW_TO_XHIGH = (*LOW_TO_HIGH, "xhigh")

DEFAULT = Profile()
# An address that nobody here knows: an effort is carried, since who asks for one knows that the model has it.
GENERIC = Profile(efforts=LOW_TO_HIGH)

# OpenAI

OPENAI = Profile(max_tokens_field="max_completion_tokens", pdf=True, user_field=True)
OPENAI_REASONING = replace(
    OPENAI, developer_role=True, sampling=False, stop_limit=0, efforts=("minimal", *LOW_TO_HIGH)
)
O_SERIES = replace(OPENAI_REASONING, efforts=LOW_TO_HIGH)
CODEX = replace(OPENAI_REASONING, efforts=LOW_TO_XHIGH)
FIXED_EFFORT = replace(OPENAI_REASONING, efforts=())
GPT_5_1 = replace(OPENAI_REASONING, efforts=("none", *LOW_TO_HIGH))
GPT_5_2 = replace(
    OPENAI_REASONING, efforts=("none", *LOW_TO_XHIGH), effort_beside_tools=EffortBesideTools.OMITTED
)
GPT_5_5 = replace(GPT_5_2, effort_beside_tools=EffortBesideTools.NONE)
GPT_6 = replace(GPT_5_5, efforts=LOW_TO_XHIGH)

# Vendors of models that think and may be told not to

DEEPSEEK = Profile(
    efforts=("low", "high", "max"),
    thinking_switch=Switch.TYPE,
    reasoning_history=ReasoningHistory.BESIDE_TOOL_CALLS,
    missing_reasoning="",
    structured_output=StructuredOutput.OBJECT,
    strict_tools=False,
    forced_tools=ForcedTools.WITHOUT_THINKING,
    parallel_switch=False,
)
DEEPSEEK_V4 = replace(DEEPSEEK, reasoning_history=ReasoningHistory.ALWAYS)

MOONSHOT = Profile(
    system_turns=False,
    structured_output=StructuredOutput.OBJECT,
    strict_tools=False,
    forced_tools=ForcedTools.NEVER,
    parallel_switch=False,
)
# It refuses a turn that calls tools without reasoning, and reasoning that is empty.
KIMI_THINKING = replace(
    MOONSHOT,
    sampling=False,
    reasoning_history=ReasoningHistory.BESIDE_TOOL_CALLS,
    missing_reasoning=" ",
)
KIMI_HYBRID = replace(KIMI_THINKING, thinking_switch=Switch.TYPE, forced_tools=ForcedTools.WITHOUT_THINKING)
KIMI_K3 = replace(KIMI_THINKING, efforts=("low", "high", "max"))

ZAI = Profile(
    stream_options=False,  # usage comes unasked
    system_turns=False,
    stop_limit=1,
    structured_output=StructuredOutput.OBJECT,
    strict_tools=False,
    forced_tools=ForcedTools.NEVER,
    parallel_switch=False,
)
GLM_HYBRID = replace(ZAI, thinking_switch=Switch.TYPE, reasoning_history=ReasoningHistory.ALWAYS)
GLM_5_2 = replace(GLM_HYBRID, efforts=("low", "high", "max"))
GLM_5_3 = replace(GLM_5_2, thinking_switch=None)

MINIMAX = Profile(
    system_turns=False,
    sampling=False,  # a temperature of 0 is refused
    reasoning_apart=ReasoningApart.SPLIT,
    structured_output=StructuredOutput.WORDS,
    strict_tools=False,
    forced_tools=ForcedTools.NEVER,
    parallel_switch=False,
)
MINIMAX_HYBRID = replace(MINIMAX, thinking_switch=Switch.ADAPTIVE)

QWEN = Profile(
    system_turns=False,
    top_k=True,
    structured_output=StructuredOutput.WORDS,
    strict_tools=False,
    forced_tools=ForcedTools.NEVER,
)
QWEN_HYBRID = replace(QWEN, thinking_switch=Switch.FLAG, forced_tools=ForcedTools.WITHOUT_THINKING)

# Vendors of their own models

MISTRAL = Profile(
    stream_options=False,  # refused; usage comes unasked
    system_turns=False,
    turn_order=TurnOrder.ASSISTANT_AFTER_TOOL,
    call_id_length=9,
    prefill_flag=True,
    strict_tools=False,
)
MISTRAL_REASONING = replace(MISTRAL, efforts=("none", "high"))

_REFUSED_BY_GEMINI = frozenset(
    {"$comment", "$id", "$anchor", "$schema", "if", "then", "else", "not", "contains", "examples"}
    | {"additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties"}
    | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"}
)
GEMINI_PLAIN = Profile(
    system_turns=False,
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
GEMINI_PRO = replace(GEMINI_PLAIN, efforts=("minimal", *LOW_TO_HIGH))
GEMINI = replace(GEMINI_PRO, efforts=("none", *GEMINI_PRO.efforts))
# Calls of these are signed, and the next request is refused without the signatures. This word is Google's own for
# calls that come without; https://ai.google.dev/gemini-api/docs/thought-signatures
GEMINI_3 = replace(GEMINI_PRO, call_signature="skip_thought_signature_validator")
GEMINI_3_PRO = replace(GEMINI_3, efforts=("low", "high"))

XAI = Profile(
    max_tokens_field="max_completion_tokens",
    stop_limit=0,  # most of its models refuse any
    strict_tools=False,
)

PERPLEXITY = Profile(
    stream_options=False,  # usage comes with every chunk
    system_turns=False,
    turn_order=TurnOrder.ALTERNATING,
    stop_limit=0,
    strict_tools=False,
    parallel_switch=False,
)

# Hosts of open models: what one model takes another refuses, so an effort only where a family is known to take it

_HOST = Profile(
    system_turns=False,
    structured_output=StructuredOutput.WORDS,
    strict_tools=False,
    parallel_switch=False,
)
NVIDIA = _HOST
GROQ = replace(_HOST, max_tokens_field="max_completion_tokens", parallel_switch=True)
GROQ_QWEN = replace(GROQ, efforts=("none",), reasoning_apart=ReasoningApart.FORMAT)
TOGETHER = replace(_HOST, top_k=True)
HUGGINGFACE = replace(_HOST, structured_output=StructuredOutput.SCHEMA)
FIREWORKS = replace(
    _HOST,
    stream_options=False,  # usage comes unasked
    top_k=True,
    reasoning_history=ReasoningHistory.ALWAYS,
    structured_output=StructuredOutput.SCHEMA,
)
CEREBRAS = replace(
    _HOST,
    max_tokens_field="max_completion_tokens",
    reasoning_history=ReasoningHistory.ALWAYS,
    reasoning_field="reasoning",
)
OPENROUTER = Profile(
    system_turns=False,
    top_k=True,
    efforts=("minimal", *LOW_TO_XHIGH),
    reasoning_history=ReasoningHistory.ALWAYS,
    reasoning_field="reasoning",
    pdf=True,
)

# Engines that people run themselves: they pass over fields that they do not know, and follow the model's template.

LOCAL = Profile(
    system_turns=False,
    turn_order=TurnOrder.ALTERNATING,
    top_k=True,
    efforts=LOW_TO_HIGH,
    reasoning_history=ReasoningHistory.ALWAYS,
    strict_tools=False,
    parallel_switch=False,
)
LLAMACPP = replace(LOCAL, efforts=("none", *LOW_TO_HIGH))
VLLM = replace(LOCAL, reasoning_field="reasoning", parallel_switch=True)
LMSTUDIO = replace(LOCAL, efforts=(), forced_tools=ForcedTools.BY_WORD)
OLLAMA = replace(LOCAL, top_k=False, efforts=(), reasoning_field="reasoning")
