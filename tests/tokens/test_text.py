from __future__ import annotations

import json

import msgspec
import pytest

from gateway.tokens.text import Countable, countable

from .pictures import pdf, png


def _counted(**fields: object) -> Countable:
    return countable(json.dumps({"model": "m", "max_tokens": 5, **fields}).encode())


def _blocks(*blocks: dict[str, object]) -> Countable:
    return _counted(messages=[{"role": "user", "content": list(blocks)}])


def test_system_and_messages_count_as_strings_and_as_blocks() -> None:
    content = _counted(
        system=[{"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "hello"}]},
        ],
    )
    assert content == Countable(["be kind", "hi", "hello"], media_tokens=0, messages=2, tools=0)


def test_a_tool_is_its_name_description_and_schema_without_escapes_or_spaces() -> None:
    content = _counted(
        messages=[],
        tools=[
            {
                "name": "wetter",
                "description": "für 北京",
                "input_schema": {"type": "object"},
                "defer_loading": True,
            },
            {"type": "bash_20250124", "name": "bash", "cache_control": {"type": "ephemeral"}},
        ],
    )
    assert content == Countable(
        ["wetter", "für 北京", '{"type":"object"}', '{"type":"bash_20250124","name":"bash"}'], 0, 0, 2
    )


def test_a_tool_round_counts_inputs_and_results_but_no_ids() -> None:
    content = _blocks(
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}},
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "2"}]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "3"},
    )
    assert content.texts == ["add", '{"a":1}', "2", "3"]


def test_thinking_counts_without_its_signature_and_redacted_thinking_by_its_length() -> None:
    content = _blocks(
        {"type": "thinking", "thinking": "hm", "signature": "x" * 500},
        {"type": "redacted_thinking", "data": "A" * 160},
    )
    assert content == Countable(["hm"], 30, 1, 0)


@pytest.mark.parametrize(
    ("source", "texts", "media_tokens"),
    [
        ({"type": "text", "media_type": "text/plain", "data": "a letter"}, ["T", "C", "a letter"], 0),
        ({"type": "content", "content": [{"type": "text", "text": "part"}]}, ["T", "C", "part"], 0),
        ({"type": "base64", "media_type": "application/pdf", "data": pdf(3)}, ["T", "C"], 6_900),
        ({"type": "base64", "media_type": "application/pdf", "data": "A" * 200_000}, ["T", "C"], 6_900),
        ({"type": "base64", "media_type": "application/pdf", "data": "!"}, ["T", "C"], 2_300),
        ({"type": "url", "url": "https://example.com/a.pdf"}, ["T", "C"], 11_500),
    ],
)
def test_documents_count_by_text_by_page_or_by_a_guess(
    source: dict[str, object], texts: list[str], media_tokens: int
) -> None:
    content = _blocks({"type": "document", "source": source, "title": "T", "context": "C"})
    assert content == Countable(texts, media_tokens, 1, 0)


def test_images_count_by_their_size_also_inside_tool_results() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": png(750, 100)}
    image: dict[str, object] = {"type": "image", "source": source}
    unseen = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    content = _blocks(image, {"type": "tool_result", "tool_use_id": "t", "content": [image, unseen]})
    assert content == Countable([], 100 + 100 + 1_600, 1, 0)


def test_a_block_nobody_knows_yet_counts_as_its_json() -> None:
    content = _blocks({"type": "hologram", "depth": 3, "cache_control": {"type": "ephemeral"}})
    assert content.texts == ['{"type":"hologram","depth":3}']


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"messages":5,"tools":"x","system":7}', b'{"messages":[5,{"content":[5]}],"tools":[1]}'],
)
def test_wrong_shapes_count_nothing_and_raise_nothing(body: bytes) -> None:
    content = countable(body)
    assert (content.texts, content.media_tokens) == ([], 0)


def test_what_is_not_json_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        countable(b'{"messages":')
