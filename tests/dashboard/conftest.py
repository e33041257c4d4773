"""A real gateway for the browser, with a database of its own and a stage of people and usage."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import oidc_provider
from tests.migrated import new_database

if TYPE_CHECKING:
    import redis

    from gateway.supervisor.postgres import Postgres
    from gateway.supervisor.valkey import Valkey
    from tests.metering.ledger import Ledger
    from tests.people import Cast

PROJECT = Path(__file__).resolve().parent.parent.parent
ARTIFACTS = PROJECT / "test-artifacts" / "dashboard"
DATABASE = "dashboard_stage"


@dataclasses.dataclass(frozen=True)
class Site:
    """A running gateway: where it is, and what `stage.py` made."""

    url: str
    database_url: str
    environment: Mapping[str, str]
    api_key: str
    fresh_api_key: str
    new_invite: str
    known_invite: str
    reset: str
    ids: dict[str, str]  # of what `stage.py` made, by the names it has there

    def path(self, link: str) -> str:
        """The path of a link that was printed."""
        assert link.startswith(self.url), link
        return link.removeprefix(self.url)


@pytest.fixture
def people(db: None) -> Cast:
    from tests.people import cast

    return cast()


@pytest.fixture
def ledger(
    db: None, postgres_server: Postgres, valkey_server: Valkey, valkey: redis.Redis
) -> Iterator[Ledger]:
    from tests.metering.ledger import empty_ledger

    with empty_ledger(postgres_server, valkey_server, valkey) as ledger:
        yield ledger


@pytest.fixture(scope="package")
def site(postgres_server: Postgres, valkey_server: Valkey) -> Iterator[Site]:
    """One for all tests of pages, with a database of its own, and Valkey's database number 3."""
    database = new_database(postgres_server, DATABASE)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        port = listener.getsockname()[1]
        environment = os.environ | {
            "DATABASE_URL": database,
            "REDIS_URL": f"{valkey_server.url}?db=3",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "GATEWAY_DRAIN_SECONDS": "0",
            "GATEWAY_SSO_PRIVATE_HOSTS": "127.0.0.1",
        }
        with _server(environment, listener), running([sys.executable, "manage.py", "drain"], environment):
            made = subprocess.run(
                [
                    sys.executable,
                    "manage.py",
                    "shell",
                    "-v0",
                    "-c",
                    "from tests.dashboard import stage; stage.main()",
                ],
                cwd=PROJECT,
                env=environment,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            yield Site(
                url=f"http://127.0.0.1:{port}",
                database_url=environment["DATABASE_URL"],
                environment=environment,
                **json.loads(made.stdout.splitlines()[-1]),
            )


@contextmanager
def _server(environment: Mapping[str, str], listener: socket.socket) -> Iterator[None]:
    environment = {**environment, "GATEWAY_LISTEN_FD": str(listener.fileno())}
    command = [sys.executable, "-m", "gateway.server"]
    with running(command, environment, pass_fds=(listener.fileno(),)) as process:
        wait_until_ready(f"http://127.0.0.1:{environment['PORT']}/readyz", process)
        yield


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], name: str = "", **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process until the end of the block; what it says is kept as `name`, or by its last word."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with (ARTIFACTS / f"{name or command[-1]}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log, **options)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None and time.monotonic() < deadline, f"not ready: see {ARTIFACTS}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def cookies_of(site: Site) -> Callable[[str], list[dict[str, object]]]:
    """The cookies of who has an address, who signs in once for all tests of a module.

    Not for tests that end the session, or choose another organization in it.
    """

    @functools.cache
    def cookies(email: str) -> list[dict[str, object]]:
        with httpx.Client(base_url=site.url, timeout=10) as client:
            sign_in(client, email)
            return [
                {"name": one.name, "value": one.value, "url": site.url, "httpOnly": True}
                for one in client.cookies.jar
            ]

    return cookies


def sign_in(client: httpx.Client, email: str) -> None:
    """As the form of the page does it."""
    from tests.people import PASSWORD

    token = client.get("/login").text.split('name="csrfmiddlewaretoken" value="')[1].partition('"')[0]
    answer = client.post(
        "/login",
        data={"login": email, "password": PASSWORD, "csrfmiddlewaretoken": token},
        headers={"origin": str(client.base_url).rstrip("/")},
    )
    assert answer.status_code == 302, answer.text


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, which calls nobody; without its windows where that is installed, since it starts sooner.

    Not the plugin's fixture, which lives as long as the whole run: playwright keeps an event loop running in the
    main thread, and no asynchronous test could follow.
    """
    arguments = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-quic",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=arguments) as browser,
    ):
        yield browser


@pytest.fixture
def openid_provider(settings: Any) -> Iterator[oidc_provider.Provider]:
    """One of its own for the test, on this machine, as operators may allow."""
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"sso_private_hosts": ["127.0.0.1"]})
    with oidc_provider.running() as found:
        yield found
