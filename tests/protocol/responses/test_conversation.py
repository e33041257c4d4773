"""The items of `input` as Anthropic's turns."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocol.anthropic.families import OPEN, family_of
from gateway.protocol.responses.thoughts import RedactedThinking, Thinking, sealed
from tests.protocol.responses.writing import messages, refusal, sent, written

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUg=="},
}
PDF = "data:application/pdf;base64,JVBERi0xLjQK"
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def call(call_id: str, name: str = "read", arguments: str = "{}", **fields: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": "completed",
    } | fields


def output(call_id: str, told: Any = "done") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": told}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def tool_use(tool_use_id: str, name: str = "read", given: Any = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_use_id, "name": name, "input": given or {}}


def result(tool_use_id: str, content: Any = "done") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_use_id, "content": content}


def test_a_string_is_what_the_user_says() -> None:
    assert sent(input="Hello")["messages"] == [{"role": "user", "content": [text("Hello")]}]


def test_instructions_and_what_system_and_developer_say_are_the_system_prompt() -> None:
    body = sent(
        instructions="Be kind.",
        input=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "input_text", "text": "Be right."}]},
            {"role": "user", "content": "Hello"},
        ],
    )

    assert (body["system"], body["messages"]) == (
        "Be kind.\nBe brief.\nBe right.",
        [{"role": "user", "content": [text("Hello")]}],
    )


def test_neighbours_of_one_role_are_one_turn_and_empty_texts_are_none() -> None:
    turns = messages(user("One"), user(" "), user("Two"), assistant("Three"), assistant(""), user("Four"))

    assert turns == [
        ("user", [text("One"), text("Two")]),
        ("assistant", [text("Three")]),
        ("user", [text("Four")]),
    ]


def test_images_and_files_are_carried() -> None:
    content = [
        {"type": "input_image", "image_url": PNG, "detail": "high"},
        {"type": "input_image", "image_url": "https://example.com/a.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
    ]

    assert messages({"role": "user", "content": content}) == [
        (
            "user",
            [
                IMAGE,
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
                    "title": "a.pdf",
                },
            ],
        )
    ]


def test_thoughts_words_and_calls_in_a_row_are_one_turn_and_their_outputs_the_next() -> None:
    turns = messages(
        user("Look."),
        assistant("I look."),
        call("call_1", arguments='{"path": "a"}'),
        call("call_2"),
        output("call_1", "A"),
        output("call_2", "B"),
    )

    assert turns == [
        ("user", [text("Look.")]),
        ("assistant", [text("I look."), tool_use("call_1", given={"path": "a"}), tool_use("call_2")]),
        ("user", [result("call_1", "A"), result("call_2", "B")]),
    ]


def test_calls_that_were_answered_one_by_one_are_turns_of_their_own() -> None:
    turns = messages(user("Look."), call("call_1"), output("call_1"), call("call_2"), output("call_2"))

    assert [role for role, _ in turns] == ["user", "assistant", "user", "assistant", "user"]


def test_outputs_find_their_calls_wherever_they_stand() -> None:
    turns = messages(
        user("Look."),
        call("call_1"),
        call("call_2"),
        user("Hurry."),
        output("call_2", "B"),
        assistant("Wait."),
        output("call_1", "A"),
    )

    assert turns[1:] == [
        ("assistant", [tool_use("call_1"), tool_use("call_2")]),
        ("user", [result("call_1", "A"), result("call_2", "B"), text("Hurry.")]),
        ("assistant", [text("Wait.")]),
    ]


def test_words_after_a_call_stand_before_it() -> None:
    turns = messages(user("Look."), call("call_1"), assistant("I look."), output("call_1"))

    assert turns[1] == ("assistant", [text("I look."), tool_use("call_1")])


def test_a_call_without_an_output_gets_a_placeholder() -> None:
    turns = messages(user("Look."), call("call_1"), user("Never mind."))

    assert turns[2] == ("user", [result("call_1", "(no result)"), text("Never mind.")])


def test_an_output_without_a_call_is_refused() -> None:
    assert refusal(input=[user("Hi"), output("call_9")]) == (
        "input.1: No tool call found for tool call output with call_id call_9."
    )


def test_ids_that_come_again_or_that_anthropic_refuses_are_replaced_on_both_sides() -> None:
    turns = messages(
        user("Look."),
        call("call:1"),
        output("call:1"),
        call("call_2"),
        output("call_2", "A"),
        call("call_2"),
        output("call_2", "B"),
    )

    uses = [block["id"] for role, blocks in turns if role == "assistant" for block in blocks]
    results = [block["tool_use_id"] for role, blocks in turns[2:] if role == "user" for block in blocks]
    assert uses == results
    assert (len(set(uses)), uses[1]) == (3, "call_2")
    assert [blocks[0]["content"] for role, blocks in turns[2:] if role == "user"] == ["done", "A", "B"]


@pytest.mark.parametrize(
    ("told", "content"),
    [
        ([{"type": "input_text", "text": "A"}], "A"),
        (
            [{"type": "input_text", "text": "A"}, {"type": "input_image", "image_url": PNG}],
            [text("A"), IMAGE],
        ),
        ({"ok": 1}, '{"ok": 1}'),
    ],
)
def test_an_output_may_have_parts_or_be_an_object(told: Any, content: Any) -> None:
    turns = messages(user("Look."), call("call_1"), output("call_1", told))

    assert turns[2] == ("user", [result("call_1", content)])


def test_an_empty_output_says_nothing() -> None:
    turns = messages(user("Look."), call("call_1"), output("call_1", ""))

    assert turns[2] == ("user", [{"type": "tool_result", "tool_use_id": "call_1"}])


def test_calls_of_custom_tools_and_in_namespaces_come_by_the_names_that_the_model_knows() -> None:
    turns = messages(
        user("Patch."),
        {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "*** Begin Patch"},
        {
            "type": "custom_tool_call",
            "call_id": "call_2",
            "name": "exec",
            "namespace": "functions",
            "input": "1",
        },
        call("call_3", "spawn", namespace="agents"),
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Done!"},
    )

    assert turns[1] == (
        "assistant",
        [
            tool_use("call_1", "apply_patch", {"input": "*** Begin Patch"}),
            tool_use("call_2", "exec", {"input": "1"}),
            tool_use("call_3", "agents__spawn"),
        ],
    )
    assert turns[2][1][0] == result("call_1", "Done!")


def test_calls_of_a_local_shell_are_tool_uses_too() -> None:
    action = {"type": "exec", "command": ["ls"], "env": {}}
    turns = messages(
        user("List."),
        {"type": "local_shell_call", "id": "lsh_1", "call_id": "call_1", "action": action},
        {"type": "local_shell_call_output", "id": "call_1", "output": '{"output":"a"}'},
    )

    assert turns[1:] == [
        ("assistant", [tool_use("call_1", "local_shell", action)]),
        ("user", [result("call_1", '{"output":"a"}')]),
    ]


def test_what_one_agent_says_to_another_is_what_the_user_says() -> None:
    message = {
        "type": "agent_message",
        "author": "/root",
        "recipient": "/lead/task",
        "content": [
            {"type": "input_text", "text": "Payload:"},
            {"type": "encrypted_content", "encrypted_content": "Say hi."},
        ],
    }

    assert messages(message) == [("user", [text("Payload:"), text("Say hi.")])]


def reasoning(encrypted_content: str | None = None, summary: str = "Hm.") -> dict[str, Any]:
    return {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": summary}],
        "content": None,
        "encrypted_content": encrypted_content,
    }


def test_a_signed_thought_goes_back_as_it_was_signed() -> None:
    thoughts = [
        reasoning(sealed(Thinking("Hm.", "c2lnbmVk")), summary="changed"),
        reasoning(sealed(RedactedThinking("b3BhcXVl"))),
    ]

    turns = messages(user("Look."), *thoughts, call("call_1"), output("call_1"), reasoning={"effort": "high"})

    assert turns[1] == (
        "assistant",
        [SIGNED, {"type": "redacted_thinking", "data": "b3BhcXVl"}, tool_use("call_1")],
    )


@pytest.mark.parametrize("encrypted_content", [None, "gAAAAAB-of-another-provider", "gw1.!!", "gw1.e30="])
def test_a_thought_that_nobody_here_signed_is_left_out_for_anthropic_and_goes_back_to_others(
    encrypted_content: str | None,
) -> None:
    items = [user("Look."), reasoning(encrypted_content), assistant("Seen.")]

    left_out = written(input=items)
    kept = messages(*items, family=OPEN)

    assert left_out.dropped == ("input.reasoning",)
    assert kept[1] == (
        "assistant",
        [{"type": "thinking", "thinking": "Hm.", "signature": ""}, text("Seen.")],
    )


def test_a_thought_that_led_to_nothing_is_left_out() -> None:
    turns = messages(user("Look."), reasoning(sealed(Thinking("Hm.", "c2lnbmVk"))), user("Well?"))

    assert turns == [("user", [text("Look."), text("Well?")])]


@pytest.mark.parametrize("model", ["claude-3-haiku-20240307", "claude-sonnet-4-5"])
def test_a_model_that_does_not_think_now_gets_no_old_thoughts(model: str) -> None:
    items = [user("Look."), reasoning(sealed(Thinking("Hm.", "c2lnbmVk"))), assistant("Seen.")]

    request = written(input=items, family=family_of(model))

    assert request.dropped == ("input.reasoning",)
    assert b"thinking" not in request.body


def test_what_openai_ran_itself_is_left_out_and_named() -> None:
    request = written(input=[user("Hi"), {"type": "web_search_call", "id": "ws_1", "status": "completed"}])

    assert request.dropped == ("input.web_search_call",)


def test_a_conversation_that_the_assistant_begins_gets_a_beginning() -> None:
    assert messages(assistant("Hello. ")) == [("user", [text(".")]), ("assistant", [text("Hello.")])]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"type": "item_reference", "id": "msg_1"},
            "input.0.type: 'item_reference' items cannot be carried to this model's provider",
        ),
        (
            {"type": "compaction", "encrypted_content": "x"},
            "input.0.type: 'compaction' items cannot be carried to this model's provider",
        ),
        (
            {"role": "critic", "content": "x"},
            "input.0.role: Input should be 'user', 'assistant', 'system' or 'developer'",
        ),
        (
            {"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]},
            "input.0.content.0.file_id: files kept at a provider cannot be carried",
        ),
        (
            {"role": "user", "content": [{"type": "input_file", "file_url": "https://example.com/a.pdf"}]},
            "input.0.content.0.file_url: cannot be carried; send the file itself as `file_data`",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
            "input.0.content.0.type: 'input_audio' parts cannot be carried to this model's provider",
        ),
        (
            {"role": "developer", "content": [{"type": "input_image", "image_url": PNG}]},
            "input.0.content: only a user's message can hold images and files",
        ),
        (
            {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{cut"},
            "input.0.arguments: Input should be a JSON object in a string",
        ),
        ({"type": "function_call", "name": "read", "arguments": "{}"}, "input.0.call_id: Field required"),
        ({"type": "function_call", "call_id": "call_1", "arguments": "{}"}, "input.0.name: Field required"),
        ({"role": "user", "content": 3}, "input.0.content: Expected `str | array | null`, got `int`"),
        ({"role": "user", "content": " "}, "input: at least one item must have content that is not empty"),
    ],
)
def test_what_cannot_be_carried_is_refused_with_its_place(item: dict[str, Any], message: str) -> None:
    assert refusal(input=[item]) == message
