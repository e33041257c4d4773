"""What the Playground sends: served by the engine for who is signed in, and for nobody else."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.dashboard.conftest import Site
from tests.people import PASSWORD

pytestmark = pytest.mark.slow

MODEL = "claude-haiku-5-5"
HELLO = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
COUNTED = {name: HELLO[name] for name in ("model", "messages")}
MESSAGES, COUNT = "/playground/messages", "/playground/count_tokens"


class Person:
    """Somebody in a browser: cookies, and the token that a page holds."""

    def __init__(self, site: Site, name: str) -> None:
        self.browser = httpx.Client(base_url=site.url, headers={"origin": site.url}, timeout=20)
        self.token = _token(self.browser.get("/login"))
        form = {"login": f"{name}@example.com", "password": PASSWORD, "csrfmiddlewaretoken": self.token}
        answer = self.browser.post("/login", data=form)
        assert answer.status_code == 302, answer.text
        self.token = _token(self.browser.get("/organization-of-nobody"))

    def send(self, path: str = MESSAGES, body: object = HELLO, **headers: str | None) -> httpx.Response:
        """With the token, unless a header is told otherwise; None leaves it out."""
        wanted = {
            "x-csrftoken": self.token,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.browser.post(
            path, json=body, headers={name: value for name, value in wanted.items() if value is not None}
        )


def _token(page: httpx.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert found, page.text
    return found[1]


@pytest.fixture(scope="module")
def database(site: Site) -> Iterator[psycopg.Connection]:
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def ada(site: Site) -> Person:
    return Person(site, "ada")


@pytest.fixture(scope="module")
def dev(site: Site) -> Person:
    return Person(site, "dev")


@pytest.fixture(scope="module")
def uma(site: Site) -> Person:
    return Person(site, "uma")


@pytest.fixture(scope="module")
def bill(site: Site) -> Person:
    return Person(site, "bill")


def refused(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()
    assert error["type"] == "error" and error["request_id"] == answer.headers["request-id"]
    assert error["error"]["message"]
    return answer.status_code, error["error"]["type"]


def billed(database: psycopg.Connection, at_least: int = 0) -> list[tuple[str, ...]]:
    """What the ledger has of the Playground: once there is so much of it."""
    deadline = time.monotonic() + 15
    while True:
        rows = database.execute(
            "SELECT e.request_id, e.api_key_id, e.status::text, k.user_id, w.name"
            "  FROM usage_event e JOIN gateway_apikey k ON k.id = e.api_key_id"
            "  JOIN gateway_workspace w ON w.id = e.workspace_id WHERE k.kind = 'playground' ORDER BY e.attempt_id"
        ).fetchall()
        if len(rows) >= at_least:
            return rows
        assert time.monotonic() < deadline, rows
        time.sleep(0.05)


def value(database: psycopg.Connection, statement: str, *values: object) -> str:
    row = database.execute(statement, values).fetchone()
    assert row is not None
    return str(row[0])


def test_a_message_streams_and_is_entered_in_the_ledger_as_its_senders(
    dev: Person, uma: Person, database: psycopg.Connection
) -> None:
    before = len(billed(database))
    streamed = dev.send(body={**HELLO, "stream": True})
    plain = uma.send()
    assert streamed.headers["content-type"].startswith("text/event-stream")
    kinds = re.findall(r"^event: (\w+)", streamed.text, re.M)
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and "content_block_delta" in kinds
    assert "anthropic-ratelimit-requests-limit" in streamed.headers
    assert plain.json()["usage"]["output_tokens"] > 0
    known = {row[0]: row for row in billed(database, before + 2)}
    for person, answer in ((dev, streamed), (uma, plain)):
        _, key, status, user, workspace = known[answer.headers["request-id"]]
        name = "dev" if person is dev else "uma"
        wanted = value(database, "SELECT id FROM gateway_user WHERE email = %s", f"{name}@example.com")
        assert (user, status, workspace) == (wanted, "200", "Default")
        assert key.startswith("playkey_")


def test_one_key_stands_for_one_person_in_one_workspace(dev: Person, database: psycopg.Connection) -> None:
    assert [dev.send(COUNT, COUNTED).status_code for _ in range(2)] == [200, 200]
    count = "SELECT count(*) FROM gateway_apikey k JOIN gateway_user u ON u.id = k.user_id WHERE kind = 'playground'"
    assert value(database, f"{count} AND u.email = 'dev@example.com'") == "1"


def test_tokens_are_counted_before_anything_is_sent(dev: Person) -> None:
    answer = dev.send(COUNT, COUNTED)
    assert answer.json()["input_tokens"] > 0


def test_what_the_messages_api_refuses_is_refused_alike(dev: Person) -> None:
    assert refused(dev.send(body={**HELLO, "max_tokens": "many"})) == (400, "invalid_request_error")
    assert refused(dev.send(body={**HELLO, "model": "no-such-model"})) == (404, "not_found_error")
    wrong = dev.browser.get(MESSAGES)
    assert refused(wrong) == (405, "invalid_request_error")


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
def test_who_may_not_send_is_refused_and_nothing_is_billed(
    site: Site, ada: Person, dev: Person, bill: Person, database: psycopg.Connection, path: str
) -> None:
    before = len(billed(database))
    body = HELLO if path == MESSAGES else COUNTED
    archived, umbrellas = _workspaces(database)
    nobody = httpx.Client(base_url=site.url, cookies={"csrf": dev.browser.cookies["csrf"]})
    token = {"x-csrftoken": dev.token, "origin": site.url}
    assert refused(nobody.post(path, json=body, headers=token)) == (401, "authentication_error")
    assert refused(dev.send(path, body, origin="https://evil.example")) == (403, "permission_error")
    assert refused(dev.send(path, body, origin="null")) == (403, "permission_error")
    assert refused(dev.send(path, body, x_csrftoken=None)) == (403, "permission_error")
    assert refused(dev.send(path, body, x_csrftoken="a" * 64)) == (403, "permission_error")
    assert refused(ada.send(path, body, anthropic_workspace_id=archived)) == (403, "permission_error")
    assert refused(ada.send(path, body, anthropic_workspace_id=umbrellas)) == (403, "permission_error")
    assert refused(dev.send(path, body, anthropic_workspace_id="wrkspc_nowhere")) == (403, "permission_error")
    assert refused(bill.send(path, body)) == (403, "permission_error")
    with suspended(database):
        answer = dev.send(path, body)
        assert refused(answer) == (403, "permission_error") and "suspended" in answer.text
    with removed(database, "dev@example.com"):
        assert refused(dev.send(path, body)) == (403, "permission_error")
    last = dev.send()
    assert billed(database, before + 1)[-1][0] == last.headers["request-id"]
    assert len(billed(database)) == before + 1


def _workspaces(database: psycopg.Connection) -> tuple[str, str]:
    """One of Acme's that is archived, and the one of Umbrella."""
    database.execute(
        "CREATE TEMP TABLE over AS SELECT w.* FROM gateway_workspace w JOIN gateway_organization o"
        "  ON o.id = w.organization_id WHERE o.name = 'Acme' AND w.is_default"
    )
    database.execute(
        "UPDATE over SET id = 'wrkspc_over', name = 'Over', is_default = false, archived_at = now()"
    )
    database.execute("INSERT INTO gateway_workspace SELECT * FROM over ON CONFLICT DO NOTHING")
    database.execute("DROP TABLE over")
    named = "SELECT w.id FROM gateway_workspace w JOIN gateway_organization o ON o.id = w.organization_id"
    return "wrkspc_over", value(database, f"{named} WHERE o.name = 'Umbrella'")


@contextmanager
def suspended(database: psycopg.Connection) -> Iterator[None]:
    database.execute("UPDATE gateway_organization SET suspended_at = now() WHERE name = 'Acme'")
    yield
    database.execute("UPDATE gateway_organization SET suspended_at = NULL WHERE name = 'Acme'")


@contextmanager
def removed(database: psycopg.Connection, email: str) -> Iterator[None]:
    database.execute(
        "CREATE TEMP TABLE gone AS SELECT m.* FROM gateway_membership m JOIN gateway_user u ON u.id = m.user_id"
        f" WHERE u.email = '{email}'"
    )
    database.execute("DELETE FROM gateway_membership WHERE id IN (SELECT id FROM gone)")
    yield
    database.execute("INSERT INTO gateway_membership SELECT * FROM gone")
    database.execute("DROP TABLE gone")


def test_a_large_body_does_not_reach_the_pages_and_is_guarded_as_ever(dev: Person) -> None:
    text = "word " * 1_000_000  # more than pages take
    answer = dev.send(COUNT, {**COUNTED, "messages": [{"role": "user", "content": text}]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 500_000


def test_the_secret_of_such_a_key_is_nobodys(site: Site, dev: Person, database: psycopg.Connection) -> None:
    dev.send(COUNT, COUNTED)
    row = database.execute("SELECT hint, id FROM gateway_apikey WHERE kind = 'playground' LIMIT 1").fetchone()
    assert row is not None and row[0] == ""
    answer = httpx.post(f"{site.url}/v1/messages", json=HELLO, headers={"x-api-key": row[1]})
    assert answer.status_code == 401
    assert "playkey_" not in json.dumps(dict(dev.send().headers))
