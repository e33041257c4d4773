"""Conversations on their way to a provider of the OpenAI dialect."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocol.openai.profile import (
    DEEPSEEK,
    MISTRAL,
    OPENAI,
    OPENAI_REASONING,
    Profile,
    ReasoningHistory,
)
from tests.protocol.openai.writing import messages, refusal, refused_block, sent, written

PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}}
PIXEL_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
ASK = ("user", "Look around")


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def call(call_id: str, name: str = "read", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any = "done", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def after_calls(
    *results: dict[str, Any], calls: tuple[str, ...] = ("a",), **fields: Any
) -> list[dict[str, Any]]:
    """The messages that follow an assistant turn with `calls`."""
    turns = (ASK, ("assistant", [call(name) for name in calls]), ("user", list(results)))
    return messages(*turns, **fields)[2:]


def test_the_system_blocks_become_one_first_message_without_cache_marks() -> None:
    told = sent(system=[text("Be kind.", cache_control={"type": "ephemeral"}), text("  "), text("Be brief.")])
    assert told["messages"] == [
        {"role": "system", "content": "Be kind.\n\nBe brief."},
        {"role": "user", "content": "Hello"},
    ]


def test_a_reasoning_model_is_told_by_the_developer() -> None:
    assert sent(system="Be kind.", profile=OPENAI_REASONING)["messages"][0]["role"] == "developer"


def test_the_attribution_that_claude_code_puts_first_is_not_sent() -> None:
    blocks = [text("x-anthropic-billing-header: cc_version=2.1; cch=0;"), text("You are Claude Code.")]
    assert sent(system=blocks)["messages"][0]["content"] == "You are Claude Code."
    assert [message["role"] for message in sent(system=blocks[:1])["messages"]] == ["user"]


def test_instructions_after_the_attribution_in_one_block_are_kept() -> None:
    block = text("x-anthropic-billing-header: cch=0;\nYou are kind.")
    assert sent(system=[block])["messages"][0]["content"] == block["text"]


def test_the_system_prompt_holds_text_only() -> None:
    assert refusal(system=[text("Look:"), PIXEL]) == "system.1.type: Input should be 'text'"


@pytest.mark.parametrize(("profile", "role"), [(Profile(), "system"), (Profile(system_turns=False), "user")])
def test_a_system_turn_stands_in_its_place(profile: Profile, role: str) -> None:
    turns = (ASK, ("system", "The file changed."), ("assistant", "Seen"), ("user", "Go on"))
    assert messages(*turns, profile=profile)[1] == {"role": role, "content": "The file changed."}


def test_a_system_turn_that_only_sets_the_effort_says_nothing() -> None:
    setting = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    assert sent(messages=[{"role": "user", "content": "Hi"}, setting])["messages"] == [
        {"role": "user", "content": "Hi"}
    ]


def test_a_system_turn_for_one_answer_is_gone_after_it() -> None:
    hint = {"role": "system", "content": "Be quick.", "clear_at": "next_user_message"}
    begun = [{"role": "user", "content": "Hi"}, hint]
    later = [*begun, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Go on"}]
    assert [turn["content"] for turn in sent(messages=begun)["messages"]] == ["Hi", "Be quick."]
    assert [turn["content"] for turn in sent(messages=later)["messages"]] == ["Hi", "Hello", "Go on"]


def test_a_system_turn_holds_text_only() -> None:
    assert refused_block(PIXEL, "system") == (
        "messages.0.content.0: 'image' blocks are not permitted within role 'system'"
    )


def test_text_alone_is_a_plain_string_and_images_are_parts() -> None:
    by_url = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
    assert messages(("user", [text("One"), text("Two")])) == [{"role": "user", "content": "One\n\nTwo"}]
    assert messages(("user", [text("See"), PIXEL, by_url])) == [
        {
            "role": "user",
            "content": [
                text("See"),
                PIXEL_PART,
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
            ],
        }
    ]


def test_empty_texts_go_and_then_the_messages_that_are_empty() -> None:
    turns = (ASK, ("assistant", [text(" \n")]), ("user", ""), ("assistant", None), ("user", [text("Well?")]))
    assert messages(*turns) == [
        {"role": "user", "content": "Look around"},
        {"role": "user", "content": "Well?"},
    ]


def test_a_conversation_of_nothing_is_refused() -> None:
    assert refusal(messages=[{"role": "user", "content": " "}]) == (
        "messages: at least one message must have content that is not empty"
    )


def test_documents_of_text_are_told_under_their_title() -> None:
    plain = {
        "type": "document",
        "title": "Rules",
        "context": "From the board",
        "source": {"type": "text", "media_type": "text/plain", "data": "No running."},
    }
    of_blocks = {"type": "document", "source": {"type": "content", "content": [text("Inner"), PIXEL]}}
    found = {
        "type": "search_result",
        "source": "https://example.com",
        "title": "Hit",
        "content": [text("Yes")],
    }
    assert messages(("user", [plain])) == [
        {"role": "user", "content": "Rules\nFrom the board\n\nNo running."}
    ]
    assert messages(("user", [of_blocks])) == [{"role": "user", "content": [text("Inner"), PIXEL_PART]}]
    assert messages(("user", [found])) == [{"role": "user", "content": "Hit\nhttps://example.com\n\nYes"}]


def test_a_pdf_is_a_file_where_the_profile_allows_it_and_refused_elsewhere() -> None:
    assert messages(("user", [PDF]), profile=OPENAI) == [
        {
            "role": "user",
            "content": [
                {
                    "type": "file",
                    "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                }
            ],
        }
    ]
    assert refused_block(PDF) == (
        "messages.0.content.0: a document of type 'application/pdf' cannot be carried to this model's provider"
    )


@pytest.mark.parametrize("kind", ["url", "file"])
def test_a_document_by_reference_is_refused_by_name(kind: str) -> None:
    block = {"type": "document", "source": {"type": kind, "url": "https://example.com/a.pdf", "file_id": "f"}}
    assert refused_block(block, profile=OPENAI) == (
        f"messages.0.content.0: a document with a '{kind}' source cannot be carried to this model's provider"
    )


@pytest.mark.parametrize("kind", ["container_upload", "holograms"])
def test_a_block_without_an_equal_is_refused_by_name(kind: str) -> None:
    assert refused_block({"type": kind, "file_id": "f"}) == (
        f"messages.0.content.0: '{kind}' blocks cannot be carried to this model's provider"
    )


def test_results_answer_in_the_order_of_the_calls_before_anything_else_is_said() -> None:
    assert after_calls(
        text("Thanks"), result("b", "B"), result("a", [text("A"), text("1")]), calls=("a", "b")
    ) == [
        {"role": "tool", "content": "A\n\n1", "tool_call_id": "a"},
        {"role": "tool", "content": "B", "tool_call_id": "b"},
        {"role": "user", "content": "Thanks"},
    ]


def test_results_split_over_two_user_messages_are_one_turn() -> None:
    turns = (ASK, ("assistant", [call("a"), call("b")]), ("user", [result("b")]), ("user", [result("a")]))
    assert [message.get("tool_call_id") for message in messages(*turns)] == [None, None, "a", "b"]


def test_a_call_without_a_result_is_answered_by_a_placeholder() -> None:
    missing = {"role": "tool", "content": "(no result)", "tool_call_id": "a"}
    assert after_calls(text("Stop")) == [missing, {"role": "user", "content": "Stop"}]
    assert messages(ASK, ("assistant", [call("a")]))[2:] == [missing]


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (result("a", "No such file", is_error=True), "Error: No such file"),
        (result("a", "", is_error=True), "Error: (empty)"),
        (result("a", ""), "(empty)"),
        (result("a", []), "(empty)"),
        (result("a", None), "(empty)"),
        ({"type": "tool_result", "tool_use_id": "a"}, "(empty)"),
        (result("a", [{"type": "tool_reference", "tool_name": "grep"}]), "Tool: grep"),
    ],
)
def test_an_error_is_marked_and_nothing_is_said_to_be_empty(block: dict[str, Any], content: str) -> None:
    assert after_calls(block) == [{"role": "tool", "content": content, "tool_call_id": "a"}]


def test_images_in_results_follow_after_the_last_tool_message() -> None:
    assert after_calls(result("a", [PIXEL]), result("b", [text("B")]), text("So?"), calls=("a", "b")) == [
        {
            "role": "tool",
            "content": "(what this call returned as image or file follows, marked a)",
            "tool_call_id": "a",
        },
        {"role": "tool", "content": "B", "tool_call_id": "b"},
        {"role": "user", "content": [text("Returned by the tool call a:"), PIXEL_PART, text("So?")]},
    ]


@pytest.mark.parametrize("results", [(result("zzz"),), (result("a"), result("a"))])
def test_a_result_without_its_call_is_refused_in_anthropics_words(
    results: tuple[dict[str, Any], ...],
) -> None:
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [call("a")]},
        {"role": "user", "content": list(results)},
    ]
    message = refusal(messages=turns)
    assert message.startswith(f"messages.2.content.{len(results) - 1}: unexpected `tool_use_id` found")


def test_an_assistant_turn_is_one_message_and_its_content_null_only_beside_calls() -> None:
    turns = (ASK, ("assistant", [text("I look."), call("a", path="/")]), ("user", [result("a")]))
    assert messages(*turns)[1] == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"type": "function", "id": "a", "function": {"name": "read", "arguments": '{"path": "/"}'}}
        ],
    }
    assert messages(ASK, ("assistant", [call("a")]))[1]["content"] is None


def test_a_calls_input_must_be_an_object() -> None:
    block = {"type": "tool_use", "id": "a", "name": "read", "input": "ls"}
    assert (
        refused_block(block, "assistant") == "messages.0.content.0: tool_use.input: Input should be an object"
    )


def test_a_prefill_stays_the_last_message() -> None:
    assert messages(ASK, ("assistant", "{"))[-1] == {"role": "assistant", "content": "{"}
    assert messages(ASK, ("assistant", "{"), profile=MISTRAL)[-1]["prefix"] is True


def test_call_ids_that_a_provider_refuses_are_hashed_alike_in_call_and_result() -> None:
    long_id = "chatcmpl-tool-" + "f" * 32
    turns = (ASK, ("assistant", [call(long_id)]), ("user", [result(long_id)]))
    for profile, length in ((OPENAI, 40), (MISTRAL, 9)):
        _, assistant, tool = messages(*turns, profile=profile)
        assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"]
        assert len(tool["tool_call_id"]) == length


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": ""}
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
ALWAYS = Profile(reasoning_history=ReasoningHistory.ALWAYS, reasoning_field="reasoning")


@pytest.mark.parametrize(
    ("profile", "blocks", "expected"),
    [
        (Profile(), [THOUGHT, call("a")], {}),
        (DEEPSEEK, [THOUGHT, call("a")], {"reasoning_content": "Hm."}),
        (DEEPSEEK, [call("a")], {"reasoning_content": ""}),
        (DEEPSEEK, [SIGNED, call("a")], {"reasoning_content": ""}),
        (DEEPSEEK, [THOUGHT, text("Yes")], {}),
        (ALWAYS, [THOUGHT, text("Yes")], {"reasoning": "Hm."}),
        (ALWAYS, [THOUGHT], {"reasoning": "Hm."}),
        (ALWAYS, [text("Yes")], {}),
    ],
)
def test_unsigned_thinking_goes_back_only_where_the_family_wants_it(
    profile: Profile, blocks: list[dict[str, Any]], expected: dict[str, str]
) -> None:
    message = messages(ASK, ("assistant", blocks), profile=profile)[1]
    assert {name: value for name, value in message.items() if name.startswith("reasoning")} == expected


def test_unsigned_thinking_that_cannot_go_back_is_said_to_be_left_out() -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [THOUGHT, text("Yes")]}]
    assert written(messages=turns).dropped == ("unsigned_thinking",)
    assert written(messages=turns, profile=ALWAYS).dropped == ()


@pytest.mark.parametrize("profile", [Profile(), DEEPSEEK, ALWAYS])
def test_signed_thinking_and_signatures_are_never_sent_and_that_is_said(profile: Profile) -> None:
    redacted = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [SIGNED, redacted, text("Yes")]},
    ]
    request = written(messages=turns, profile=profile)
    assert request.dropped == ("signed_thinking", "redacted_thinking")
    assert not any(word in request.body for word in (b"Hm.", b"c2ln", b"c2VjcmV0", b"signature"))


def test_what_anthropics_own_tools_did_stays_as_text() -> None:
    used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "cats"}}
    found = {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "title": "Cats", "encrypted_content": "x" * 1000}],
    }
    assert messages(ASK, ("assistant", [used, found]))[1]["content"] == (
        '[web_search was called with {"query": "cats"}]\n\n'
        '[web_search_tool_result: [{"type":"web_search_result","title":"Cats"}]]'
    )


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (
            {"role": "tool", "content": "x"},
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        (
            {"role": "user", "content": [{"text": "x"}]},
            "messages.0.content.0: Object missing required field `type`",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": 1}]},
            "messages.0.content.0.text: Expected `str | null`, got `int`",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(turn: dict[str, Any], message: str) -> None:
    assert refusal(messages=[turn]) == message


@pytest.mark.parametrize(
    ("block", "dropped"),
    [
        (PDF | {"citations": {"enabled": True}}, ("citations",)),
        (PDF | {"citations": {"enabled": False}}, ()),
        (text("Rome.", citations=[{"type": "char_location", "cited_text": "Rome"}]), ("citations",)),
        (text("Rome.", citations=None), ()),
    ],
)
def test_citations_that_no_provider_here_gives_are_named(
    block: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    request = written(messages=[{"role": "user", "content": [block, text("Where?")]}], profile=OPENAI)
    assert request.dropped == dropped
