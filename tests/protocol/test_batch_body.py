"""The body of a new batch, however it is cut into pieces: the items that `json` reads, as their own bytes, or a
refusal that names the position."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest, TooLarge
from gateway.protocol.anthropic import batch_body
from gateway.protocol.anthropic.batch_body import BatchBody, Item, Items
from gateway.protocol.json_cutter import ValueCutter

PARAMS = {"model": "claude-haiku-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
A = {"custom_id": "a", "params": PARAMS}
B = {"custom_id": "b", "params": PARAMS}

# Text that is likely to hold what cutting could stumble over.
TEXT = st.text(alphabet=st.sampled_from('"\\[]{}:,n \n\u2028\u00e4\U0001f600ux0')) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=40,
)
PARAMETERS = st.dictionaries(TEXT.filter(lambda name: name not in ("stream", "model")), VALUES, max_size=4)
LAYOUTS = st.sampled_from(
    [
        {},
        {"indent": 1},
        {"separators": (",", ":")},
        {"ensure_ascii": False},
        {"indent": "\t", "separators": (" , ", ": ")},
    ]
)


def read(body: bytes, cuts: Sequence[int] = ()) -> list[Item]:
    """The items of a body that comes in pieces cut at these places."""
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    cutting, items = BatchBody(), Items()
    found = [
        items.checked(raw)
        for start, end in itertools.pairwise(places)
        for raw in cutting.feed(body[start:end])
    ]
    cutting.finish()
    return found


def read_in_pieces_of(size: int, body: bytes) -> list[Item]:
    return read(body, range(0, len(body), size))


def body_of(*items: object, **members: object) -> bytes:
    return json.dumps({"requests": items, **members}).encode()


def refusal(body: bytes) -> str:
    """What a body is refused with: the same, whether it comes whole or byte by byte."""
    with pytest.raises(InvalidRequest) as whole:
        read(body)
    with pytest.raises(InvalidRequest) as bytewise:
        read_in_pieces_of(1, body)
    assert whole.value.message == bytewise.value.message
    return whole.value.message


@given(st.lists(PARAMETERS, min_size=1, max_size=5), LAYOUTS, st.lists(st.integers(0, 10_000)), VALUES)
def test_items_are_what_json_reads_however_the_body_is_cut(
    all_params: list[dict[str, Any]], layout: dict[str, Any], cuts: list[int], beside: Any
) -> None:
    requests = [{"custom_id": f"id-{n}", "params": params} for n, params in enumerate(all_params)]
    body = json.dumps({"more": beside, "requests": requests, "and": beside}, **layout).encode(
        "utf-8", "surrogatepass"
    )
    if b"\\ud" in body or not _is_text(body):
        return

    items = read(body, cuts)

    assert [(item.number, item.custom_id) for item in items] == [
        (n, f"id-{n}") for n in range(len(all_params))
    ]
    assert [json.loads(bytes(item.params)) for item in items] == all_params
    assert all(bytes(item.params) in body for item in items), "not the bytes that came"


@given(VALUES, st.lists(st.integers(0, 10_000)), LAYOUTS, st.sampled_from(b",]} \n"))
def test_a_value_ends_where_it_ends(value: Any, cuts: list[int], layout: dict[str, Any], after: int) -> None:
    raw = json.dumps(value, **layout).encode("utf-8", "surrogatepass")
    data = raw + bytes([after])
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    cutter, ends = ValueCutter(), []

    for start, end in itertools.pairwise(places):
        if (found := cutter.end(data[start:end], 0)) >= 0:
            ends.append(start + found)
            break

    assert ends == ([len(raw)] if ends or len(cuts) == 0 else [])
    assert ends or raw[-1:] in b'"}]', "only the byte behind it shows that"


@given(st.binary(max_size=60), st.integers(0, 400), st.lists(st.integers(0, 10_000)))
def test_what_is_no_json_is_never_taken(noise: bytes, place: int, cuts: list[int]) -> None:
    right = body_of(A, B)
    place %= len(right)
    body = right[:place] + noise + right[place:]

    try:
        items = read(body, cuts)
    except InvalidRequest:
        return

    assert [item.params for item in items] == [item.params for item in read(body)]
    requests = json.loads(body)["requests"]
    assert [json.loads(bytes(item.params)) for item in items] == [one["params"] for one in requests]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
def test_pieces_of_any_size(size: int) -> None:
    body = body_of(A, {**B, "params": {**PARAMS, "system": 'quoted "\\" and [brackets}'}}, more=[{"x": "]}"}])

    items = read_in_pieces_of(size, body)

    assert [(item.custom_id, item.model) for item in items] == [
        ("a", "claude-haiku-5-5"),
        ("b", "claude-haiku-5-5"),
    ]


def test_params_keep_their_bytes() -> None:
    params = b'{ "model":"m" ,"x": 1e3, "text":"\\u00e4\xc3\xa4"}'

    [item] = read(b'{"requests":[{"params":' + params + b' , "custom_id":"a"}]}')

    assert bytes(item.params) == params


def test_members_that_nobody_knows_are_let_through_everywhere() -> None:
    body = json.dumps(
        {"version": 2, "requests": [{**A, "priority": [1, {"of": "]"}]}], "metadata": {"requests": []}}
    ).encode()

    assert [item.custom_id for item in read(body)] == ["a"]


def test_names_may_be_written_with_escapes() -> None:
    [item] = read(
        b'{"requ\\u0065sts":[{"custom\\u005fid":"\\u0061b","p\\u0061rams":{"model":"cl\\u0061ude"}}]}'
    )

    assert (item.custom_id, item.model) == ("ab", "claude")


def test_the_names_of_models_are_gathered() -> None:
    items = Items()
    for n, model in enumerate([{"model": "one"}, {"model": "two"}, {"model": "one"}, {}, {"model": 5}]):
        items.checked(json.dumps({"custom_id": str(n), "params": model}).encode())

    assert list(items.model_names) == ["one", "two", ""]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The request body is not valid JSON: it is empty"),
        (b"  ", "The request body is not valid JSON: it is empty"),
        (b"[]", "The request body must be a JSON object."),
        (b'"requests"', "The request body must be a JSON object."),
        (b"\xef\xbb\xbf{}", "The request body must be a JSON object."),
        (b"{}", "requests: Field required"),
        (b'{"request":[]}', "requests: Field required"),
        (b'{"requests":{}}', "requests: Input should be a valid list"),
        (b'{"requests":null}', "requests: Input should be a valid list"),
        (b'{"requests":[]}', "requests: List should have at least 1 item"),
        (b'{"requests": [ ] }', "requests: List should have at least 1 item"),
        (b"{requests:[]}", "The request body is not valid JSON: expected a key or `}` at its beginning"),
        (b'{"requests"=[]}', "The request body is not valid JSON: expected `:` after requests"),
        (body_of(A) + b"{}", "The request body is not valid JSON: expected nothing after requests"),
        (body_of(A)[:-1] + b",}", "The request body is not valid JSON: expected a key after requests"),
        (body_of(A)[:-1] + b',"requests":[]}', "requests: repeated key"),
        (b'{"a":1,"\\u0061":2}', "a: repeated key"),
        (b'{"a":tru}', "The request body is not valid JSON: Input data was truncated, after a"),
        (b'{"a":"\xff"}', "The request body: not valid UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_body(body: bytes, said: str) -> None:
    assert refusal(body) == said


NO_ID = "requests.2.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
BROKEN = "requests.2: not valid JSON: it holds a lone surrogate or another broken escape"
ITEM = json.dumps(A).encode()


@pytest.mark.parametrize(
    ("third", "said"),
    [
        (b"5", "requests.2: Input should be an object"),
        (b"null", "requests.2: Input should be an object"),
        (b'"text"', "requests.2: Input should be an object"),
        (b"[]", "requests.2: Input should be an object"),
        (b"{}", "requests.2.custom_id: Field required"),
        (b'{"params":{}}', "requests.2.custom_id: Field required"),
        (b'{"custom_id":"c"}', "requests.2.params: Field required"),
        (b'{"custom_id":"c","params":null}', "requests.2.params: Input should be an object"),
        (b'{"custom_id":"c","params":[]}', "requests.2.params: Input should be an object"),
        (b'{"custom_id":"c","params":"{}"}', "requests.2.params: Input should be an object"),
        (b'{"custom_id":7,"params":{}}', "requests.2.custom_id: Input should be a valid string"),
        (b'{"custom_id":null,"params":{}}', "requests.2.custom_id: Input should be a valid string"),
        (b'{"custom_id":"","params":{}}', NO_ID),
        (b'{"custom_id":"a b","params":{}}', NO_ID),
        (b'{"custom_id":"a\\n","params":{}}', NO_ID),
        ('{"custom_id":"ä","params":{}}'.encode(), NO_ID),
        (b'{"custom_id":"%s","params":{}}' % (b"x" * 65), NO_ID),
        (b'{"custom_id":"b","params":{}}', "requests.2.custom_id: must be unique, and is that of requests.1 too"),
        (b'{"custom_id":"c","custom_id":"d","params":{}}', "requests.2.custom_id: repeated key"),
        (b'{"custom_id":"c","params":{},"params":{"x":1}}', "requests.2.params: repeated key"),
        (b'{"custom_id":"c","params":{"x":1},"p\\u0061rams":{}}', "requests.2.params: repeated key"),
        (b'{"custom_id":"c","params":{"stream": true}}',
         "requests.2.params.stream: a request of a batch cannot be streamed"),
        (b'{"custom_id":"c","params":{"a":}}', "requests.2: not valid JSON: invalid character (byte 31)"),
        (b'{"custom_id":"c","params":{}]', "requests.2: not valid JSON: expected ',' or '}' (byte 28)"),
        (b'{"custom_id":"c","params":{"x":NaN}}', "requests.2: not valid JSON: invalid character (byte 31)"),
        (b'{"custom_id":"c","params":{"x":"\xff"}}', "requests.2: not valid UTF-8"),
        (b'{"custom_id":"c","params":{"x":"\\ud800"}}', BROKEN),
        (b"tru", "requests.2: not valid JSON: Input data was truncated"),
        (b"", "requests.2: not valid JSON: it is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_item_names_its_position(third: bytes, said: str) -> None:
    second = json.dumps(B).encode()

    assert refusal(b'{"requests":[' + ITEM + b"," + second + b"," + third + b"]}") == said


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (b"", "The request body is not valid JSON: it ends after requests.0"),
        (b",", "The request body is not valid JSON: it ends before requests.1"),
        (b',{"custom_id":"b"', "The request body is not valid JSON: it ends within requests.1"),
        (b"]", "The request body is not valid JSON: it ends after requests"),
        (b"}", "The request body is not valid JSON: expected `,` or `]` after requests.0"),
        (b'"x"', "The request body is not valid JSON: expected `,` or `]` after requests.0"),
    ],
)
def test_what_is_wrong_between_items_names_the_position(rest: bytes, said: str) -> None:
    assert refusal(b'{"requests":[' + ITEM + rest) == said


def test_stream_false_is_no_harm() -> None:
    assert len(read(body_of({"custom_id": "a", "params": {**PARAMS, "stream": False}}))) == 1


def test_a_null_character_is_a_fault_of_its_item_and_not_of_the_batch() -> None:
    assert len(read(body_of({"custom_id": "a", "params": {"system": "\0"}}, B))) == 2


def test_one_item_too_many() -> None:
    cutting = BatchBody()
    item = b'{"custom_id":"a","params":{}}'
    assert sum(1 for _ in cutting.feed(b'{"requests":[' + b",".join([item] * 100_000))) == 100_000

    with pytest.raises(InvalidRequest, match=r"^requests: List should have at most 100000 items$"):
        list(cutting.feed(b"," + item))


def test_an_item_that_no_message_could_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_body, "LARGEST_ITEM", 1000)
    large = {"custom_id": "c", "params": {"text": "x" * 1000}}

    with pytest.raises(
        TooLarge, match=r"^requests\.1: exceeds the maximum allowed number of bytes of one request \(1000\)"
    ):
        read_in_pieces_of(64, body_of(A, large))


def test_what_nobody_reads_may_not_be_large() -> None:
    with pytest.raises(TooLarge, match=r"^metadata: larger than 1048576 bytes$"):
        read_in_pieces_of(65_536, body_of(A, metadata="x" * 2_000_000))


def test_members_without_number_are_refused() -> None:
    members = {f"m{n}": n for n in range(101)}

    assert refusal(body_of(A, **members)) == "m99: more than 100 members in one body"


def nested(levels: int) -> bytes:
    """A body whose second item has params of so many levels."""
    lists = b"[" * (levels - 1) + b"]" * (levels - 1)
    return b'{"requests":[' + ITEM + b',{"custom_id":"b","params":{"x":' + lists + b"}}]}"


@pytest.mark.parametrize("levels", [65, 1_000, 100_000])
def test_nesting_is_bounded(levels: int) -> None:
    assert refusal(nested(levels)) == "requests.1: nested more than 64 levels deep"


def test_params_may_nest_as_deeply_as_a_message() -> None:
    assert len(read(nested(64))) == len(read_in_pieces_of(1, nested(64))) == 2


@pytest.mark.parametrize(
    "filling",
    [
        pytest.param({"text": "word " * 3_000}, id="text"),
        pytest.param({"text": '\n\u00e4"' * 1_000}, id="escapes"),
        pytest.param({"list": [{"type": "text", "text": "x"}] * 500}, id="blocks"),
        pytest.param({"deep": [json.loads("[" * 30 + "]" * 30)] * 100}, id="brackets"),
    ],
)
def test_a_piece_is_looked_at_in_a_time_that_grows_with_its_size_only(filling: dict[str, Any]) -> None:
    """No more than a second for a megabyte, whatever stands in it, on a machine with other things to do."""
    body = body_of(*({"custom_id": str(n), "params": filling} for n in range(200)))
    started = time.process_time()

    assert len(read_in_pieces_of(32_768, body)) == 200

    assert time.process_time() - started < len(body) / 1_000_000


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
