"""The logs as files: exactly what the filters find, whoever asks, safe to open."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from django.test import Client

from admin_api.queries import request_log
from gateway.models import UsageEvent
from tests.admin_api.refused import refused
from tests.dashboard.logged import key_of, logged
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.fixture
def made(people: Cast) -> dict[str, object]:
    key = key_of(people.acme, "=cmd()|x", user=people.dev)
    return {
        "plain": logged(key, ago=10, cost=Decimal("0.0000000000000001")),
        "failed": logged(key, ago=20, status=529, error_type="overloaded_error", user_agent="\x1b[31m+1"),
        "refused": refused(key),
        "foreign": logged(key_of(people.umbrella), ago=5),
    }


def test_both_files_hold_what_the_page_lists(
    client: Client, people: Cast, made: dict[str, UsageEvent]
) -> None:
    as_(client, people.ada)

    lines = list(csv.DictReader(io.StringIO(text_of(client, "/logs.csv"))))
    objects = json.loads(text_of(client, "/logs.json"))

    expected = [made[name].request_id for name in ("refused", "plain", "failed")]
    assert [line["request_id"] for line in lines] == expected
    assert [one["request_id"] for one in objects] == expected
    assert (lines[1]["cost"], objects[1]["cost"]) == ("0.0000000000000001", "0.0000000000000001")
    assert (lines[1]["member"], lines[1]["stream"], lines[0]["stream"]) == ("Dev", "true", "")
    assert (objects[0]["refused"], objects[0]["status"], objects[0]["latency_ms"]) == (True, 429, None)
    assert objects[1]["at"] == made["plain"].at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_filters_hold_for_files_too(client: Client, people: Cast, made: dict[str, UsageEvent]) -> None:
    as_(client, people.ada)

    objects = json.loads(text_of(client, "/logs.json?status=529"))

    assert [one["request_id"] for one in objects] == [made["failed"].request_id]
    assert json.loads(text_of(client, "/logs.json?status=418")) == []
    assert text_of(client, "/logs.csv?status=418").count("\n") == 1


def test_who_sees_less_gets_less(client: Client, people: Cast, made: dict[str, UsageEvent]) -> None:
    assert json.loads(text_of(as_(client, people.uma), "/logs.json")) == []
    mallorys = json.loads(text_of(as_(client, people.mallory), "/logs.json"))
    assert [one["request_id"] for one in mallorys] == [made["foreign"].request_id]


def test_a_spreadsheet_finds_no_formula_and_a_terminal_no_command(
    client: Client, people: Cast, made: dict[str, UsageEvent]
) -> None:
    lines = list(csv.DictReader(io.StringIO(text_of(as_(client, people.ada), "/logs.csv"))))

    assert lines[1]["key_name"] == "'=cmd()|x"
    assert lines[2]["user_agent"] == "\ufffd[31m+1"


def test_a_large_file_goes_on_from_step_to_step(
    client: Client, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "EXPORTED_AT_ONCE", 3)
    key = key_of(people.acme)
    rows = [logged(key, ago=n // 2) for n in range(10)]

    objects = json.loads(text_of(as_(client, people.ada), "/logs.json"))

    assert sorted(one["request_id"] for one in objects) == sorted(row.request_id for row in rows)
    assert [one["at"] for one in objects] == sorted((one["at"] for one in objects), reverse=True)
