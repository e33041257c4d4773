"""Thinking that a provider cannot read is taken out of a conversation, and nothing else is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.protocol.anthropic import thinking
from gateway.protocol.body import Body, parse

USER = {"role": "user", "content": "Hi"}
CALL = {"type": "tool_use", "id": "a", "name": "read", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "done"}]}
TEXT = {"type": "text", "text": "Hello."}
SEALED = {"type": "redacted_thinking", "data": "c2VhbGVk"}


def thought(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "Hm.", "signature": signature}


def request(*messages: dict[str, Any], **fields: Any) -> Body:
    return parse(json.dumps({"model": "m", "max_tokens": 9, "messages": messages, **fields}).encode())


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def left(body: Body, *foreign: str) -> tuple[list[Any], tuple[str, ...]]:
    """The messages that remain, and what was left out."""
    changed, dropped = thinking.without_foreign(body, foreign)
    return json.loads(changed.get("messages", bytes(body.fields["messages"]))), dropped


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'{"signature":""}', True),
        (b'{"signature" :\n\t""}', True),
        (b'{"signature":"c2ln"}', False),
        (rb'{"text":"\"signature\":\"\""}', False),
        (b'{"text":"signature"}', False),
    ],
)
def test_an_unsigned_block_is_told_from_words_about_one(raw: bytes, found: bool) -> None:
    assert thinking.has_unsigned(raw) is found


def test_signatures_are_found_and_words_about_them_are_not() -> None:
    body = request(
        USER, said(thought("one=="), thought("two=="), {"type": "text", "text": '"signature":"x"'})
    )
    assert thinking.signatures(body.raw) == {"one==", "two=="}


def test_unsigned_and_foreign_thoughts_go_and_ones_own_stay() -> None:
    body = request(USER, said(thought(""), thought("theirs"), thought("own"), TEXT), USER)
    assert left(body, "theirs") == (
        [USER, said(thought("own"), TEXT), USER],
        ("unsigned_thinking", "signed_thinking"),
    )


def test_what_is_sealed_beside_a_foreign_thought_goes_with_it_and_elsewhere_stays() -> None:
    body = request(USER, said(SEALED, TEXT), USER, said(thought("theirs"), SEALED, TEXT), USER)
    assert left(body, "theirs") == (
        [USER, said(SEALED, TEXT), USER, said(TEXT), USER],
        ("signed_thinking", "redacted_thinking"),
    )


def test_a_turn_that_was_only_thought_goes_whole() -> None:
    assert left(request(USER, said(thought("")), USER))[0] == [USER, USER]


def test_other_messages_keep_their_bytes() -> None:
    odd = '{"content" : "caf\\u00e9 \\/",  "role":"user"}'
    mine = json.dumps(said(thought(""), TEXT))
    body = parse(f'{{"model":"m","max_tokens":9,"messages":[{odd},{mine},{odd}]}}'.encode())

    changed, _ = thinking.without_foreign(body)

    assert changed["messages"].count(odd.encode()) == 2


@pytest.mark.parametrize("kind", ["enabled", "adaptive"])
def test_a_call_that_loses_its_thought_may_not_be_answered_thinking_by_budget(kind: str) -> None:
    body = request(USER, said(thought(""), CALL), RESULT, thinking={"type": kind, "budget_tokens": 2000})

    changed, dropped = thinking.without_foreign(body)

    assert changed.get("thinking") == (b'{"type":"disabled"}' if kind == "enabled" else None)
    assert dropped == (("unsigned_thinking", "thinking") if kind == "enabled" else ("unsigned_thinking",))


def test_where_nothing_is_foreign_nothing_changes() -> None:
    assert thinking.without_foreign(request(USER, said(thought("own"), TEXT))) == ({}, ())


def test_what_cannot_be_read_is_left_for_the_provider_to_judge() -> None:
    body = request(USER, {"role": "assistant", "content": [7, {"signature": ""}]})
    assert thinking.without_foreign(body) == ({}, ())
