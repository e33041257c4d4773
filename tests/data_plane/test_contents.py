"""What is asked and answered is kept where an admin wants it, encrypted, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.data_plane.house import REFUSED, SCRIPTED, TRANSLATED, House, body
from tests.outages.site import until

DAYS = 7


@pytest.fixture(scope="module")
def kept(house: House) -> dict[str, str]:
    """An organization with a workspace that keeps contents, and one that does not."""
    wish = house.office.wish
    organization = wish("organization", name="Kept", tier="enterprise")["id"]
    keeping = wish("workspace", organization="Kept", name="keeping")["id"]
    wish("keep_contents", workspace=keeping, days=DAYS)
    return {
        "organization": organization,
        "key": wish("api_key", organization="Kept", workspace=keeping)["secret"],
        "other_key": wish("api_key", organization="Kept")["secret"],
    }


def content_of(house: House, kept: dict[str, str], request_id: str | None) -> dict[str, Any]:
    """Within a moment of the answer."""
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update(house.office.wish("content", organization=kept["organization"], request_id=request_id))
        return bool(found)

    until(there, 5, "the content was not kept")
    return found


@pytest.mark.parametrize("model", [SCRIPTED, TRANSLATED])
@pytest.mark.parametrize("stream", [False, True])
def test_request_and_answer_are_kept_as_they_went_over_the_wire(
    house: House, kept: dict[str, str], model: str, stream: bool
) -> None:
    asked = json.dumps(body(model, stream=stream), indent=1).encode()

    answer = house.post(asked, key=kept["key"])

    content = content_of(house, kept, answer.header("request-id"))
    assert content["request"].encode() == asked
    assert content["response"].encode() == answer.body
    assert (content["status"], content["streamed"], content["cut"]) == (200, stream, False)


@pytest.mark.parametrize("stream", [False, True])
def test_headers_are_kept_of_both_without_what_opens_a_door(
    house: House, kept: dict[str, str], stream: bool
) -> None:
    said = {"anthropic-beta": "a-beta", "X-Session-Id": "s1", "cookie": "crumbs", "x-other-token": "t0ken"}
    answer = house.post(body(stream=stream), key=kept["key"], headers=[*said.items()])

    headers = content_of(house, kept, answer.header("request-id"))["headers"]
    asked, answered = dict(headers["asked"]), dict(headers["answered"])
    assert {"anthropic-beta": "a-beta", "x-session-id": "s1"}.items() <= asked.items()
    assert {asked[name] for name in ("x-api-key", "cookie", "x-other-token")} == {"[removed]"}
    assert answered["request-id"] == answer.header("request-id")
    assert answered["x-gateway-provider"] == answer.header("x-gateway-provider")
    assert not {kept["key"], "crumbs", "t0ken"} & {*asked.values(), *answered.values()}


def test_a_refused_request_is_kept_with_its_error(house: House, kept: dict[str, str]) -> None:
    answer = house.post(body(REFUSED), key=kept["key"])

    content = content_of(house, kept, answer.header("request-id"))
    assert (content["status"], json.loads(content["response"])) == (answer.status, answer.json)
    assert ["request-id", answer.header("request-id")] in content["headers"]["answered"]
    assert answer.status >= 500


def test_nothing_is_kept_elsewhere(house: House, kept: dict[str, str]) -> None:
    quiet = house.post(body(), key=kept["other_key"])
    content_of(
        house, kept, house.post(body(), key=kept["key"]).header("request-id")
    )  # which came later and is there

    asked = {"organization": kept["organization"], "request_id": quiet.header("request-id")}
    assert (quiet.status, house.office.wish("content", **asked)) == (200, {})


def test_no_word_of_it_lies_open_in_the_database(house: House, kept: dict[str, str]) -> None:
    answer = house.post(body(messages=[{"role": "user", "content": "xylophone"}]), key=kept["key"])

    content_of(house, kept, answer.header("request-id"))
    row = house.office.wish("stored", request_id=answer.header("request-id"))
    assert "xylophone" not in str(row) and "scripted" not in str(row)


def test_another_organization_does_not_find_it(house: House, kept: dict[str, str]) -> None:
    answer = house.post(body(), key=kept["key"])
    content_of(house, kept, answer.header("request-id"))

    other = house.office.wish("organization", name="Nosy", tier="enterprise")["id"]
    assert house.office.wish("content", organization=other, request_id=answer.header("request-id")) == {}
