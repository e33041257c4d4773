"""A chat conversation on its way to an Anthropic provider."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.protocol.chat.writing import (
    call,
    messages,
    refused,
    result,
    said,
    sent,
    tool,
    user,
    written,
)

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + b"\0" * 20).decode()
GIF = base64.b64encode(b"GIF89a" + b"\0" * 20).decode()
WEBP = base64.b64encode(b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 20).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + b"\0" * 20).decode()
UNKNOWN = base64.b64encode(b"\1" * 20).decode()


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def block_of(part: dict[str, Any]) -> Any:
    [message] = messages(user([text("See:"), part]))
    return message["content"][1]


def use(tool_use_id: str, given: Any = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_use_id, "name": "read", "input": given or {}}


def answer(tool_use_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_use_id, **fields}


def test_all_instructions_become_one_system_prompt_wherever_they_stand() -> None:
    body = sent(
        messages=[
            {"role": "system", "content": "One"},
            user("Hello"),
            {"role": "developer", "content": [text("Two"), text(" ")]},
            said("Yes"),
            {"role": "system", "content": "Three"},
            user("Go on"),
        ]
    )
    assert body["system"] == "One\nTwo\nThree"
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_instructions_alone_get_a_minimal_message_of_the_user() -> None:
    assert sent(messages=[{"role": "system", "content": "Say hello"}]) == {
        "model": "claude-x",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "."}],
        "system": "Say hello",
    }


def test_a_conversation_that_says_nothing_is_refused() -> None:
    assert refused(user(" "), said("")) == (
        "messages: at least one message must have content that is not empty"
    )


def test_neighbours_of_one_role_are_one_turn() -> None:
    assert messages(user("a"), user([text("b"), text("")]), said("c"), said("d"), user("e")) == [
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
        {"role": "user", "content": "e"},
    ]


def test_a_conversation_that_the_assistant_begins_gets_a_minimal_message_before() -> None:
    assert messages(said("Hi"), user("Hello"))[0] == {"role": "user", "content": "."}


def test_what_the_assistant_said_last_ends_without_white_space() -> None:
    assert messages(user("Go"), said("It is \n"))[-1] == {"role": "assistant", "content": "It is"}


@pytest.mark.parametrize(
    ("told", "data", "media_type"),
    [
        ("image/png", PNG, "image/png"),
        ("image/png", JPEG, "image/jpeg"),
        ("image/jpg", UNKNOWN, "image/jpeg"),
        ("image/jpeg", GIF, "image/gif"),
        ("application/octet-stream", WEBP, "image/webp"),
        ("IMAGE/PNG;charset=utf-8", UNKNOWN, "image/png"),
    ],
)
def test_an_image_is_called_what_its_bytes_say(told: str, data: str, media_type: str) -> None:
    assert block_of(image(f"data:{told};base64,{data}")) == {
        "type": "image",
        "source": {"type": "base64", "media_type": media_type, "data": data},
    }


def test_an_image_on_the_web_goes_as_its_address() -> None:
    source = {"type": "url", "url": "https://example.org/a.png"}
    assert block_of(image("https://example.org/a.png")) == {"type": "image", "source": source}
    bare = {"type": "image_url", "image_url": "https://example.org/a.png"}
    assert block_of(bare) == {"type": "image", "source": source}


@pytest.mark.parametrize(
    ("part", "source", "title"),
    [
        (
            file(filename="a.pdf", file_data=f"data:application/pdf;base64,{PDF}"),
            {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "a.pdf",
        ),
        (file(file_data=PDF), {"type": "base64", "media_type": "application/pdf", "data": PDF}, None),
        (
            image(f"data:application/pdf;base64,{PDF}"),
            {"type": "base64", "media_type": "application/pdf", "data": PDF},
            None,
        ),
        (
            file(filename="a.csv", file_data="data:text/csv;base64,YTti"),
            {"type": "text", "data": "a;b", "media_type": "text/plain"},
            "a.csv",
        ),
    ],
)
def test_a_file_is_a_document(part: dict[str, Any], source: dict[str, str], title: str | None) -> None:
    expected = {"type": "document", "source": source} | ({"title": title} if title else {})
    assert block_of(part) == expected


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            "type: 'input_audio' parts cannot be carried to this model's provider",
        ),
        ({"type": "image_url"}, "image_url: Field required"),
        (image("ftp://example.org"), "image_url.url: Input should be a data URI or a URL of http or https"),
        (image("data:image/png,abc"), "image_url.url: Input should be a data URI with base64"),
        (image("data:image/png;base64,"), "image_url.url: Input should not be empty"),
        (image("data:text/plain;base64,YTti"), "image_url.url: Input should be an image"),
        (
            image(f"data:image/svg+xml;base64,{UNKNOWN}"),
            "image_url.url: data of type 'image/svg+xml' cannot be carried to this model's provider",
        ),
        (file(file_id="file-1"), "file.file_id: files kept at a provider cannot be carried"),
        (file(), "file.file_data: Field required"),
        (
            file(file_data="data:text/plain;base64,/w=="),
            "file.file_data: Input should be base64 of text in UTF-8",
        ),
    ],
)
def test_a_part_that_cannot_be_carried_is_refused_by_its_place(part: dict[str, Any], problem: str) -> None:
    assert refused(user([text("See:"), part])) == f"messages.0.content.1.{problem}"


def test_results_and_what_the_user_says_are_one_message_with_the_results_first() -> None:
    turns = [user("Go"), said("Reading.", call("a"), call("b")), result("b"), user("Well?"), result("a", "")]
    assert messages(*turns)[1:] == [
        {"role": "assistant", "content": [text("Reading."), use("a"), use("b")]},
        {"role": "user", "content": [answer("a"), answer("b", content="done"), text("Well?")]},
    ]


def test_a_call_without_a_result_gets_a_placeholder_whatever_follows() -> None:
    missing = {"role": "user", "content": [answer("a", content="(no result)")]}
    first = [user("Go"), said(None, call("a"))]
    assert messages(*first)[2:] == [missing]
    assert messages(*first, said("Then"), user("x"))[2:] == [
        missing,
        {"role": "assistant", "content": "Then"},
        {"role": "user", "content": "x"},
    ]


def test_a_result_may_hold_texts_and_images() -> None:
    content = [text("a"), text("b"), image(f"data:image/png;base64,{PNG}")]
    [block] = messages(user("Go"), said(None, call("a")), result("a", content))[-1]["content"]
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert block == answer("a", content=[text("a"), text("b"), {"type": "image", "source": source}])


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("", {}),
        (" \n", {}),
        ("null", {}),
        (None, {}),
        ('{"a": [1.50, "é"]}', {"a": [1.5, "é"]}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_arguments_are_parsed(arguments: Any, given: dict[str, Any]) -> None:
    assert messages(user("Go"), said(None, call("a", arguments)))[1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "read", "input": given}
    ]


@pytest.mark.parametrize("arguments", ["[1]", "5", '{"a": ', '"text"', "read it"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    assert refused(user("Go"), said(None, call("a", arguments))) == (
        "messages.1.tool_calls.0.function.arguments: Input should be a JSON object in a string"
    )


def test_ids_that_anthropic_refuses_are_changed_alike_in_call_and_result() -> None:
    turns = [user("Go"), said(None, call("functions.read:0")), result("functions.read:0")]
    _, called, answered = messages(*turns)
    tool_use_id = called["content"][0]["id"]
    assert tool_use_id.startswith("toolu_01")
    assert answered["content"] == [answer(tool_use_id, content="done")]
    assert messages(*turns, said("x"), user("y"))[1:3] == [called, answered]


def test_an_id_used_again_in_a_later_turn_is_told_apart() -> None:
    turn = [said(None, call("call_0")), result("call_0")]
    _, first, _, second, answered = messages(user("Go"), *turn, *turn)
    assert first["content"][0]["id"] == "call_0"
    assert second["content"][0]["id"] != "call_0"
    assert answered["content"][0]["tool_use_id"] == second["content"][0]["id"]


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (
            [user("Go"), result("x")],
            "messages.1.tool_call_id: 'x' is none of the calls of the assistant's message before",
        ),
        (
            [user("Go"), said(None, call("a")), result("a"), said("b"), result("a")],
            "messages.4.tool_call_id: 'a' is none of the calls of the assistant's message before",
        ),
        ([user("Go"), {"role": "tool", "content": "x"}], "messages.1.tool_call_id: Field required"),
        (
            [user("Go"), said(None, call("a")), result("a"), result("a")],
            "messages.3.tool_call_id: the call 'a' has two results",
        ),
        (
            [user("Go"), said(None, call("a"), call("a"))],
            "messages.1.tool_calls.1.id: 'a' is another call's id too",
        ),
        ([user("Go"), said(None, call(""))], "messages.1.tool_calls.0.id: Field required"),
        (
            [user("Go"), said(None, {"id": "a", "type": "function"})],
            "messages.1.tool_calls.0.function.name: Field required",
        ),
        (
            [user("Go"), said(None, {"id": "a", "type": "custom", "custom": {"name": "x", "input": "y"}})],
            "messages.1.tool_calls.0.type: 'custom' calls cannot be carried to this model's provider",
        ),
        (
            [user("Go"), said(None, audio={"id": "a"})],
            "messages.1.audio: cannot be carried to this model's provider",
        ),
        (
            [user("Go"), said([{"type": "image_url"}])],
            "messages.1.content.0.type: Input should be 'text' or 'refusal'",
        ),
        (
            [{"role": "system", "content": [{"type": "image_url"}]}],
            "messages.0.content.0.type: Input should be 'text'",
        ),
        (
            [{"role": "critic", "content": "x"}],
            "messages.0.role: Input should be 'developer', 'system', 'user', 'assistant' or 'tool'",
        ),
        ([user([{"text": "x"}])], "messages.0.content.0: Object missing required field `type`"),
        ([user(5)], "messages.0.content: Expected `str | array | null`, got `int`"),
    ],
)
def test_a_turn_that_cannot_be_carried_is_refused_by_its_place(turns: list[Any], message: str) -> None:
    assert refused(*turns) == message


def test_a_refusal_in_the_history_stays_as_text() -> None:
    assert messages(user("Go"), said(None, refusal="No."), user("Please"))[1] == {
        "role": "assistant",
        "content": "No.",
    }
    parts = [text("Well."), {"type": "refusal", "refusal": "No."}]
    assert messages(user("Go"), said(parts), user("Please"))[1]["content"] == [text("Well."), text("No.")]


def test_a_function_call_of_the_old_kind_is_answered_by_name() -> None:
    called = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "read", "arguments": '{"a": 1}'},
    }
    turns = [user("Go"), called, {"role": "function", "name": "read", "content": "done"}]
    assert messages(*turns)[1:] == [
        {"role": "assistant", "content": [use("function_read", {"a": 1})]},
        {"role": "user", "content": [answer("function_read", content="done")]},
    ]


def test_what_is_left_out_of_messages_is_named() -> None:
    turns = [
        user("Go") | {"name": "uma"},
        said("Yes", reasoning_content="Hm."),
        user("More"),
        said("Yes", reasoning="", reasoning_content=None),
        user("More"),
    ]
    assert written(messages=turns, tools=[tool()]).dropped == ("messages.name", "messages.reasoning_content")
    assert written(messages=turns[2:]).dropped == ()
