"""What is changed in a message that was made for a batch."""

from __future__ import annotations

from gateway.batches.answer import in_batch


def test_only_the_service_tier_changes_and_every_other_byte_stays() -> None:
    message = b'{"id": "msg_1",  "content": [1e2], "usage": {"input_tokens":3,"service_tier":"standard"}, "new": 1.50}'
    assert in_batch(message) == (
        b'{"id": "msg_1",  "content": [1e2], "usage": {"input_tokens":3,"service_tier":"batch"}, "new": 1.50}'
    )


def test_a_provider_that_names_no_tier_gets_one_named() -> None:
    assert in_batch(b'{"usage":{"input_tokens":3}}') == b'{"usage":{"input_tokens":3,"service_tier":"batch"}}'


def test_what_is_right_already_stays_as_it_came() -> None:
    message = b'{"usage": { "service_tier" : "batch" } }'
    assert in_batch(message) is message
