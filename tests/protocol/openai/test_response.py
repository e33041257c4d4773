"""Chat completions on their way back to an Anthropic client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message

from gateway.errors import InternalError, RateLimited
from gateway.protocol.openai.response import AnthropicAnswer, anthropic_message

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def completion(finish_reason: str | None = "stop", usage: Any = USAGE, **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return json.dumps(
        {"id": "chatcmpl-1", "model": "real-model", "choices": [choice], "usage": usage}
    ).encode()


def answered(body: bytes, **fields: Any) -> AnthropicAnswer:
    plain: dict[str, Any] = {
        "message_id": "msg_1",
        "model": "claude-x",
        "input_estimate": 7,
        "tool_names": {},
    }
    return anthropic_message(body, **(plain | fields))


def message(body: bytes, **fields: Any) -> dict[str, Any]:
    told = json.loads(answered(body, **fields).body)
    Message.model_validate(told, strict=True)  # the SDK's own shape
    return told


def content(body: bytes, **fields: Any) -> list[dict[str, Any]]:
    return message(body, **fields)["content"]


def call(name: str = "read", arguments: Any = "{}", call_id: str | None = "call_1") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def failure(body: bytes) -> str:
    with pytest.raises(InternalError) as caught:
        answered(body)
    return caught.value.message


def test_a_text_becomes_a_message_under_the_catalogs_name() -> None:
    told = message(completion(content="Hello"))
    assert told | {"usage": None} == {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": None,
    }
    assert (told["usage"]["input_tokens"], told["usage"]["output_tokens"]) == (10, 5)
    assert answered(completion(content="Hello")).provider_id == "chatcmpl-1"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_an_unsigned_thinking_block_before_the_text(field: str) -> None:
    assert content(completion(content="4", **{field: "2 + 2"})) == [
        {"type": "thinking", "thinking": "2 + 2", "signature": ""},
        {"type": "text", "text": "4"},
    ]


def test_reasoning_told_twice_or_in_another_shape_is_not_repeated() -> None:
    assert len(content(completion(content="4", reasoning_content="Hm", reasoning="Hm"))) == 2
    assert len(content(completion(content="4", reasoning={"tokens": 3}))) == 1


def test_content_in_parts_is_text_and_thinking() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    assert content(completion(content=[thought, {"type": "text", "text": "Yes"}])) == [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "text", "text": "Yes"},
    ]


@pytest.mark.parametrize("said", [{}, {"content": None}, {"content": ""}, {"content": "", "tool_calls": []}])
def test_nothing_at_all_is_a_message_without_content(said: dict[str, Any]) -> None:
    told = message(completion(**said))
    assert (told["content"], told["stop_reason"]) == ([], "end_turn")


def test_a_refusal_is_text_and_a_reason() -> None:
    told = message(completion(content=None, refusal="I won't."))
    assert told["content"] == [{"type": "text", "text": "I won't."}]
    assert told["stop_reason"] == "refusal"
    assert told["stop_details"] == {"type": "refusal", "category": None, "explanation": "I won't."}


def test_tool_calls_get_the_callers_names_back_and_decide_the_stop_reason() -> None:
    told = message(
        completion(content="I look.", tool_calls=[call("short", '{"path":"/"}')]),
        tool_names={"short": "long"},
    )
    assert told["stop_reason"] == "tool_use"
    assert told["content"] == [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "call_1", "name": "long", "input": {"path": "/"}},
    ]


def test_a_function_call_of_the_old_kind_is_a_tool_call() -> None:
    old = content(completion("function_call", function_call={"name": "read", "arguments": "{}"}))
    assert [(block["type"], block["name"]) for block in old] == [("tool_use", "read")]


def test_ids_that_are_missing_strange_or_repeated_are_replaced_and_differ() -> None:
    calls = [call(call_id=told) for told in ("call_1", "call_1", None, "", "functions.read:0")]
    ids = [block["id"] for block in content(completion(tool_calls=calls))]
    assert ids[0] == "call_1"
    assert len(set(ids)) == 5
    assert all(minted.startswith("toolu_01") and len(minted) == 30 for minted in ids[1:])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {}),
        (" ", {}),
        (None, {}),
        ("null", {}),
        ("{}", {}),
        ({"path": "/"}, {"path": "/"}),
        ('{"path":"/"', {"path": "/"}),
        ('{"a":[{"b":true', {"a": [{"b": True}]}),
        ('{"a":"}]\\""', {"a": '}]"'}),
        ('{"a":"one\ntwo"}', {"a": "one\ntwo"}),
        ('"{\\"path\\":\\"/\\"}"', {"path": "/"}),
        ('{"a":"\u2028"}', {"a": "\u2028"}),
    ],
)
def test_arguments_become_an_object(arguments: Any, expected: dict[str, Any]) -> None:
    assert content(completion(tool_calls=[call(arguments=arguments)]))[0]["input"] == expected


@pytest.mark.parametrize(
    "arguments",
    [
        '{"command":"rm -rf /tmp',
        '{"count":12',
        '{"path"',
        '{"path":',
        "[]",
        "7",
        "read /etc/passwd",
        '{"a":NaN}',
        '{"a":1e400}',
        '{"a":"\\ud800"}',
        "}",
        "[" * 100_000,
    ],
)
def test_a_value_that_may_be_cut_is_never_completed(arguments: str) -> None:
    assert failure(completion(tool_calls=[call(arguments=arguments)])) == (
        "The provider sent a tool call whose arguments are not a JSON object."
    )


def test_a_call_cut_by_the_length_limit_is_finished_with_that_reason() -> None:
    told = message(completion("length", tool_calls=[call(), call(arguments='{"a":"b', call_id="call_2")]))
    assert (told["stop_reason"], [block["input"] for block in told["content"]]) == (
        "max_tokens",
        [{}, {"a": "b"}],
    )


def test_half_a_character_is_replaced_and_the_rest_is_kept() -> None:
    body = completion(content="a?b").replace(b"?", b"\\ud83d")
    assert content(body) == [{"type": "text", "text": "a\ufffdb"}]


def test_a_stop_sequence_the_provider_did_not_know_ends_the_text() -> None:
    body = completion(content="one END two STOP", tool_calls=[call()])
    told = message(body, stop_sequences=("STOP", "END"))
    assert told["content"] == [{"type": "text", "text": "one "}]
    assert (told["stop_reason"], told["stop_sequence"]) == ("stop_sequence", "END")


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
def test_a_stop_sequence_that_the_provider_names_is_reported(field: str) -> None:
    told = json.loads(completion(content="one "))
    told["choices"][0][field] = "END"
    body = json.dumps(told).encode()
    assert message(body, stop_sequences=("END",))["stop_sequence"] == "END"
    assert message(body)["stop_reason"] == "end_turn"


def test_an_unknown_finish_reason_is_told_under_its_own_name() -> None:
    answer = answered(completion("eos_token", content="Hi"))
    assert (answer.stop_reason, answer.unknown_finish_reason) == ("end_turn", "eos_token")
    assert answered(completion(None, content="Hi")).unknown_finish_reason is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, (10, 5, False)),
        (None, (7, 2, True)),
        ({}, (7, 2, True)),
        ({"prompt_tokens": 10}, (10, 2, True)),
        ({"completion_tokens": 5}, (7, 5, True)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (7, 0, True)),
        ({"prompt_tokens": 10, "completion_tokens": 0}, (10, 0, False)),
        ({"prompt_tokens": -1, "completion_tokens": -1}, (7, 2, True)),
    ],
)
def test_usage_that_was_not_told_is_estimated_and_marked(usage: Any, expected: tuple[int, int, bool]) -> None:
    answer = answered(completion(content="Hello", usage=usage))
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.estimated) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"choices":[{"message":{"content":"a',
        b'{"choices":7}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_completion_is_the_providers_fault(body: bytes) -> None:
    assert failure(body) == "The provider sent an answer that cannot be read."


@pytest.mark.parametrize("body", [b"{}", b'{"choices":[]}', b'{"choices":null,"usage":null}'])
def test_an_answer_without_a_choice_is_the_providers_fault(body: bytes) -> None:
    assert failure(body) == "The provider sent an answer without a message."


def test_an_answer_broken_off_by_an_error_is_no_message() -> None:
    assert failure(completion("error", content="half")) == "The provider broke its answer off with an error."


def test_an_error_with_status_200_is_the_error_it_tells_of() -> None:
    with pytest.raises(RateLimited) as caught:
        answered(b'{"error":{"message":"slow down","code":429}}')
    assert caught.value.message == "The provider is limiting requests."


def test_an_error_beside_half_an_answer_is_the_error() -> None:
    told = json.loads(completion("error", content="half")) | {"error": {"message": "boom", "code": 502}}
    assert failure(json.dumps(told).encode()) == "boom"


def test_what_is_not_understood_is_named() -> None:
    strange = completion(
        "eos", content=[{"type": "text", "text": "a"}, {"type": "smell"}], audio={"id": 1}, nothing=None
    )
    told = json.loads(strange)
    told["choices"].append({"index": 1, "message": {"content": "other"}})
    assert answered(json.dumps(told).encode()).unknown == (
        ("message", "audio"),
        ("content part", "smell"),
        ("choice", "1"),
        ("finish_reason", "eos"),
    )
    assert answered(completion(content="a", annotations=[])).unknown == ()
    assert answered(completion(content="a", annotations=[{}])).unknown == (("message", "annotations"),)


def test_a_call_of_nothing_is_no_call() -> None:
    assert content(completion(content="a", tool_calls=[{"type": "function"}])) == [
        {"type": "text", "text": "a"}
    ]


def test_a_call_without_a_name_is_the_providers_fault() -> None:
    assert failure(completion(tool_calls=[call(name="")])) == "The provider sent a tool call without a name."
