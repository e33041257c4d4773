"""Secrets exchanged under load, with all processes restarted in turn: nobody is refused until the old is left out."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import httpx
import pytest

from gateway.supervisor.postgres import Postgres
from tests.data_plane.house import PROJECT, body
from tests.data_plane.wire import ask
from tests.outages.load import Load
from tests.outages.site import Site, open_site
from tests.outages.web_group import WebGroup

PASSWORD = "correct horse battery staple"
NAMES = ("SECRET_KEY", "GATEWAY_KEY_PEPPER", "GATEWAY_DATA_ENCRYPTION_KEYS")
VERSION = {"anthropic-version": "2023-06-01"}


class Caller:
    """Asks again and again, on a connection of its own each time, and keeps what was not answered with 200."""

    def __init__(self, question: Callable[[], httpx.Response]) -> None:
        self._question = question
        self._going = True
        self._thread = threading.Thread(target=self._ask)
        self.asked = 0
        self.refused: list[str] = []

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._going = False
        self._thread.join(30)

    def _ask(self) -> None:
        while self._going:
            self.asked += 1
            try:
                answer = self._question()
                if answer.status_code != 200:
                    self.refused.append(f"{answer.status_code} {answer.text[:200]}")
            except httpx.HTTPError as problem:
                self.refused.append(repr(problem))
            time.sleep(0.25)


@pytest.fixture
def site(postgres_server: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Site]:
    """Of its own: what comes under other secrets is of no use to those that know only the first."""
    with open_site(postgres_server, scratch_folders, "rotation") as site:
        site.house.gateway.close()
        yield site


def test_all_secrets_are_exchanged_under_load(site: Site) -> None:
    tenant, late, unused = (site.house.tenant() for _ in range(3))
    wish = site.house.office.wish
    admin = wish("api_key", organization=tenant.name, kind="admin")["secret"]
    operator = wish("operator_key")["secret"]
    wish("member", organization=tenant.name, email="ada@example.com", password=PASSWORD)
    old = {name: site.house.environment[name] for name in NAMES}
    new = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "GATEWAY_KEY_PEPPER": secrets.token_urlsafe(48),
        "GATEWAY_DATA_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    environment = site.house.environment | {"GATEWAY_DRAIN_SECONDS": "3"}
    with WebGroup(environment, site.folder, 2) as web:
        address = f"http://127.0.0.1:{web.port}"
        browser, seldom, never = (_signed_in(address) for _ in range(3))
        with (
            Load(site, tenant, port=web.port) as load,
            Caller(lambda: browser.get("/limits")) as member,
            Caller(lambda: _get(f"{address}/v1/organizations/api_keys", admin)) as admins,
            Caller(lambda: _get(f"{address}/platform/v1/organizations", operator)) as operators,
        ):
            _restart_with(web, {name: f"{old[name]},{new[name]}" for name in NAMES})
            _restart_with(web, {name: f"{new[name]},{old[name]}" for name in NAMES})
            told = _reencrypt(web.environment)
            within = _status(site, web, late.key), seldom.get("/limits").status_code
            again = _reencrypt(web.environment)
            time.sleep(0.5)
            _restart_with(web, new)
        after = _status(site, web, late.key), seldom.get("/limits").status_code
        refused = _status(site, web, unused.key), never.get("/limits").status_code
        for client in (browser, seldom, never):
            client.close()

    callers = {"members": member, "admins": admins, "operators": operators}
    asked = {name: one.asked for name, one in callers.items()}
    print(f"\n{len(load.asked)} messages and {asked} others over three restarts of each process")
    assert load.failures() == {}
    assert {name: one.refused for name, one in callers.items()} == {name: [] for name in callers}
    assert "of" in told and told.split(": ")[1] == f"{_total(told)} of {_total(told)}"
    assert again == f"Brought under the first key: 0 of {_total(told)}"
    assert within == after == (200, 200)
    assert refused == (401, 302)


def _restart_with(web: WebGroup, values: dict[str, str]) -> None:
    web.environment |= values
    for place in web.places:
        web.restart(place)


def _reencrypt(environment: dict[str, str]) -> str:
    command = [sys.executable, "manage.py", "reencrypt"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _total(told: str) -> str:
    return told.rpartition(" ")[2]


def _signed_in(address: str) -> httpx.Client:
    """A browser, whose connection is closed after each page as a balancer's would be."""
    browser = httpx.Client(base_url=address, headers={"connection": "close"}, timeout=20)
    page = browser.get("/login")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None, page.text[:500]
    form = {"login": "ada@example.com", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    answer = browser.post("/login", data=form, headers={"origin": address})
    assert answer.status_code == 302, answer.text[:500]
    return browser


def _get(url: str, key: str) -> httpx.Response:
    return httpx.get(url, headers={"x-api-key": key, **VERSION}, timeout=20)


def _status(site: Site, web: WebGroup, key: str) -> int:
    return asyncio.run(ask(web.port, site.house.message(body(), key=key))).status
