"""What is refused of a Responses request before anything is translated."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from tests.protocol.responses.writing import request


def test_what_the_gateway_must_know_is_read() -> None:
    checked = request(max_output_tokens=50, stream=True)

    assert (checked.model, checked.max_tokens, checked.stream) == ("gpt-x", 50, True)


def test_nulls_stand_for_nothing() -> None:
    checked = request(
        max_output_tokens=None, stream=None, previous_response_id=None, conversation=None, background=None
    )

    assert (checked.max_tokens, checked.stream) == (None, False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": None}, "model: Field required"),
        ({"model": 3}, "model: Expected `str | null`, got `int`"),
        ({"model": ""}, "model: String should have 1 to 256 characters"),
        ({"input": None}, "input: Field required"),
        ({"input": []}, "input: Input should not be empty"),
        ({"input": ""}, "input: Input should not be empty"),
        ({"input": ["Hello"]}, "input.0: Input should be an object"),
        ({"input": 7}, "input: Expected `str | array | null`, got `int`"),
        ({"stream": "yes"}, "stream: Expected `bool | null`, got `str`"),
        ({"max_output_tokens": 0}, "max_output_tokens: Input should be greater than or equal to 1"),
        ({"background": True}, "background: answers are given while the caller waits; Input should be false"),
        ({"top_logprobs": 2}, "top_logprobs: cannot be carried to this model's provider"),
        (
            {"include": ["message.output_text.logprobs"]},
            "include: 'message.output_text.logprobs' cannot be carried to this model's provider",
        ),
        (
            {"previous_response_id": "resp_0"},
            "previous_response_id: this gateway stores no responses; send the whole conversation in `input`",
        ),
        (
            {"conversation": "conv_0"},
            "conversation: this gateway stores no conversations; send the whole conversation in `input`",
        ),
        (
            {"prompt": {"id": "pmpt_0"}},
            "prompt: this gateway stores no prompt templates; send `instructions` and `input`",
        ),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(**fields)

    assert caught.value.message == message
