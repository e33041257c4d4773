"""Combinations that some models refuse, and what gives way."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocol.openai.profile import (
    EffortBesideTools,
    ForcedTools,
    Profile,
    ReasoningApart,
    ReasoningHistory,
    StructuredOutput,
    Switch,
    TurnOrder,
)
from tests.protocol.openai.writing import sent, written

READ = {"name": "read", "input_schema": {"type": "object"}}
WRITE = {"name": "write", "input_schema": {"type": "object"}}
ANY = {"type": "any"}
NAMED = {"type": "tool", "name": "read"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
CALL = {"type": "tool_use", "id": "call_1", "name": "read", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def conversation(*turns: tuple[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return sent(messages=[{"role": role, "content": content} for role, content in turns], **fields)[
        "messages"
    ]


@pytest.mark.parametrize(
    ("demand", "expected", "dropped"),
    [
        (EffortBesideTools.AS_ASKED, "high", ()),
        (EffortBesideTools.OMITTED, None, ("thinking",)),
        (EffortBesideTools.NONE, "none", ("thinking",)),
    ],
)
def test_an_effort_beside_tools_gives_way_where_it_is_refused(
    demand: EffortBesideTools, expected: str | None, dropped: tuple[str, ...]
) -> None:
    profile = Profile(efforts=("none", "high"), effort_beside_tools=demand)
    wanted = {"output_config": {"effort": "high"}, "profile": profile}
    assert sent(**wanted)["reasoning_effort"] == "high"
    assert sent(**wanted, tools=[READ]).get("reasoning_effort") == expected
    assert written(**wanted, tools=[READ]).dropped == dropped


def test_a_model_that_thinks_by_itself_is_told_not_to_beside_tools() -> None:
    profile = Profile(efforts=("none", "high"), effort_beside_tools=EffortBesideTools.NONE)
    assert sent(tools=[READ], profile=profile)["reasoning_effort"] == "none"
    assert written(tools=[READ], profile=profile).dropped == ()


def chosen(choice: dict[str, str], taken: ForcedTools, **fields: Any) -> dict[str, Any]:
    profile = Profile(efforts=("low",), thinking_switch=Switch.TYPE, forced_tools=taken)
    body = sent(tools=[READ, WRITE], tool_choice=choice, profile=profile, **fields)
    return {
        "tools": [tool["function"]["name"] for tool in body["tools"]],
        **{name: body[name] for name in ("tool_choice", "thinking", "reasoning_effort") if name in body},
    }


def test_a_forced_tool_is_asked_for_in_the_way_that_the_model_takes() -> None:
    named = {"type": "function", "function": {"name": "read"}}
    both = ["read", "write"]
    assert chosen(NAMED, ForcedTools.TAKEN) == {"tools": both, "tool_choice": named}
    assert chosen(NAMED, ForcedTools.BY_WORD) == {"tools": ["read"], "tool_choice": "required"}
    assert chosen(ANY, ForcedTools.BY_WORD) == {"tools": both, "tool_choice": "required"}
    assert chosen(ANY, ForcedTools.NEVER) == {"tools": both, "tool_choice": "auto"}
    assert chosen(ANY, ForcedTools.WITHOUT_THINKING) == {
        "tools": both,
        "tool_choice": "required",
        "thinking": {"type": "disabled"},
    }


def test_thinking_gives_way_to_a_forced_tool_and_that_is_said() -> None:
    profile = Profile(
        efforts=("low",), thinking_switch=Switch.TYPE, forced_tools=ForcedTools.WITHOUT_THINKING
    )
    asked = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    request = {"tools": [READ], "profile": profile, **asked}
    body = sent(tool_choice=ANY, **request)
    assert (body["thinking"], "reasoning_effort" in body) == ({"type": "disabled"}, False)
    assert written(tool_choice=ANY, **request).dropped == ("thinking",)
    assert written(tool_choice={"type": "auto"}, **request).dropped == ()


def test_a_forced_tool_that_no_model_there_takes_is_said_to_be_left_out() -> None:
    profile = Profile(forced_tools=ForcedTools.NEVER)
    assert written(tools=[READ], tool_choice=ANY, profile=profile).dropped == ("tool_choice",)


@pytest.mark.parametrize(
    ("switch", "on", "off"),
    [
        (Switch.TYPE, {"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}}),
        (Switch.ADAPTIVE, {"thinking": {"type": "adaptive"}}, {"thinking": {"type": "disabled"}}),
        (Switch.FLAG, {"enable_thinking": True}, {"enable_thinking": False}),
    ],
)
def test_thinking_is_switched_in_the_words_of_the_vendor(
    switch: Switch, on: dict[str, Any], off: dict[str, Any]
) -> None:
    profile = Profile(thinking_switch=switch)
    plain = sent(profile=profile)
    assert sent(thinking={"type": "adaptive"}, profile=profile) == plain | on
    assert sent(thinking={"type": "disabled"}, profile=profile) == plain | off


def test_reasoning_is_asked_to_stand_apart_from_the_text() -> None:
    assert sent(profile=Profile(reasoning_apart=ReasoningApart.SPLIT))["reasoning_split"] is True
    assert sent(profile=Profile(reasoning_apart=ReasoningApart.FORMAT))["reasoning_format"] == "parsed"


@pytest.mark.parametrize(
    ("history", "missing", "beside_calls", "beside_text"),
    [
        (ReasoningHistory.DROPPED, None, None, None),
        (ReasoningHistory.ALWAYS, None, None, None),
        (ReasoningHistory.ALWAYS, "", "", ""),
        (ReasoningHistory.BESIDE_TOOL_CALLS, " ", " ", None),
    ],
)
def test_a_turn_without_reasoning_says_what_the_model_wants_to_hear_then(
    history: ReasoningHistory, missing: str | None, beside_calls: str | None, beside_text: str | None
) -> None:
    profile = Profile(reasoning_history=history, missing_reasoning=missing)
    turns = ("user", "Hi"), ("assistant", [CALL]), ("user", [RESULT]), ("assistant", "Yes"), ("user", "Go on")
    _, called, _, said, _ = conversation(*turns, profile=profile)
    assert (called.get("reasoning_content"), said.get("reasoning_content")) == (beside_calls, beside_text)


def test_calls_bear_the_word_for_a_signature_that_is_not_there() -> None:
    turns = ("user", "Hi"), ("assistant", [CALL]), ("user", [RESULT])
    _, plain, _ = conversation(*turns)
    _, signed, _ = conversation(*turns, profile=Profile(call_signature="skip"))
    assert "extra_content" not in plain["tool_calls"][0]
    assert signed["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "skip"}}


def test_the_assistant_speaks_before_a_user_who_follows_a_tool() -> None:
    turns = ("user", "Hi"), ("assistant", [CALL]), ("user", [RESULT, text("And now?")])
    bridged = conversation(*turns, profile=Profile(turn_order=TurnOrder.ASSISTANT_AFTER_TOOL))
    assert bridged[2:] == [
        {"role": "tool", "content": "ok", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "Understood."},
        {"role": "user", "content": "And now?"},
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Hello", "Be brief.\n\nHello"),
        ([IMAGE], [text("Be brief."), {"type": "image_url", "image_url": {"url": IMAGE["source"]["url"]}}]),  # type: ignore[index]
    ],
)
def test_two_messages_of_the_user_become_one_where_roles_must_alternate(content: Any, expected: Any) -> None:
    profile = Profile(system_turns=False, turn_order=TurnOrder.ALTERNATING)
    turns = ("system", "Be brief."), ("user", content)
    assert conversation(*turns, profile=profile) == [{"role": "user", "content": expected}]


def test_a_format_is_told_in_words_only_where_no_field_is_sure() -> None:
    wanted = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    body = sent(output_config=wanted, profile=Profile(structured_output=StructuredOutput.WORDS))
    assert "response_format" not in body
    assert body["messages"][0]["content"].endswith('{"type": "object"}')
