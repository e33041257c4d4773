"""Lines of results."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.batches import lines
from gateway.errors import InvalidRequest


def test_an_error_is_nested_twice_and_tells_its_request() -> None:
    line = lines.errored("a-1", InvalidRequest("max_tokens: Field required"), "req_7")

    assert json.loads(line) == {
        "custom_id": "a-1",
        "result": {
            "type": "errored",
            "error": {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"},
                "request_id": "req_7",
            },
        },
    }


def test_what_was_not_sent_says_why() -> None:
    assert json.loads(lines.canceled("a"))["result"] == {"type": "canceled"}
    assert json.loads(lines.expired("a"))["result"] == {"type": "expired"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_values), st.booleans(), st.sampled_from([None, 2]))
def test_any_message_is_one_line_for_everybody_and_says_the_same(
    message: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    raw = json.dumps(message, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")

    line = lines.succeeded("a", raw).decode("utf-8", "surrogatepass")

    assert line.splitlines() == [line]
    assert json.loads(line)["result"]["message"] == message
