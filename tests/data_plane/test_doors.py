"""Paths that clients try besides the documented ones, and what every answer carries."""

from __future__ import annotations

import pytest

from tests.data_plane import wire
from tests.data_plane.house import JSON, VERSION, House, body


def test_a_base_url_that_ends_in_v1_works_as_well(house: House) -> None:
    message = house.post(body(), path="/v1/v1/messages")
    count = house.post(
        {"model": "claude-scripted", "messages": body()["messages"]}, path="/v1/v1/messages/count_tokens"
    )
    models = house.get("/v1/v1/models")
    model = house.get("/v1/v1/models/claude-scripted")

    assert [answer.status for answer in (message, count, models, model)] == [200] * 4
    assert models.body == house.get("/v1/models").body


@pytest.mark.parametrize("path", ["/", "/api/hello"])
def test_a_warming_up_head_request_is_answered_without_a_key(house: House, path: str) -> None:
    answer = house.get(path, method="HEAD", key="", headers=())

    assert (answer.status, answer.body) == (200, b"")
    assert (answer.header("request-id") or "").startswith("req_")


@pytest.mark.parametrize(
    "path", ["/v1/models/", "/v1/messages/", "//v1/messages", "/v1//messages", "/V1/messages"]
)
def test_no_spelling_of_a_path_is_redirected(house: House, path: str) -> None:
    for method in ("GET", "POST"):
        answer = house.ask(wire.request(method, path, [VERSION, JSON, ("x-api-key", house.key)]))
        assert not 300 <= answer.status < 400, (method, path, answer.headers)


@pytest.mark.parametrize(
    ("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/version", 200), ("/metrics", 200)]
)
def test_operators_pages_need_no_key(house: House, path: str, status: int) -> None:
    assert house.get(path, key="", headers=()).status == status


def test_every_answer_has_a_request_id_of_its_own(house: House) -> None:
    answers = [house.post(body()) for _ in range(3)] + [house.post(b"{"), house.get("/v1/nothing")]

    ids = [answer.header("request-id") for answer in answers]

    assert len(set(ids)) == 5 and all(one and one.startswith("req_") for one in ids)


def test_a_callers_request_id_is_not_taken_over(house: House) -> None:
    answer = house.post(body(), headers=[("request-id", "req_mine"), ("x-request-id", "req_mine")])

    assert answer.header("request-id") != "req_mine"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_host_that_is_not_ours_is_refused(house: House, host: str) -> None:
    headers = [VERSION, JSON, ("x-api-key", house.key), ("Host", host)]

    answer = house.ask(wire.request("POST", "/v1/messages", headers, b"{}"))

    assert answer.status == 400


def test_the_metrics_name_no_tenant(house: House) -> None:
    tenant = house.tenant()
    house.post(body(), key=tenant.key)

    metrics = house.get("/metrics", key="", headers=()).body.decode()

    assert 'gateway_upstream_attempts_total{outcome="ok",provider="scripted"}' in metrics
    for secret in (tenant.name, tenant.id, tenant.key_id, tenant.key, "Acme"):
        assert secret not in metrics


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_a_websocket_is_refused_so_that_the_client_goes_on_over_http(house: House, path: str) -> None:
    """Codex tries one first, and only this status makes it give up at once."""
    upgrade = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")]

    answer = house.get(path, headers=[*upgrade, ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==")])

    assert (answer.status, answer.json["error"]["type"]) == (426, "invalid_request_error")
