"""The Admin API of a running web process, as tests ask it: raw, with the official SDK, or signed in."""

from __future__ import annotations

import asyncio
import itertools
import re

import anthropic
import httpx

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, Organization, User
from tests.data_plane import wire
from tests.data_plane.wire import Answer, Headers
from tests.people import PASSWORD

ME = "/v1/organizations/me"
_strangers = itertools.count(1)


class Door:
    def __init__(self, port: int) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"

    def ask(
        self,
        method: str = "GET",
        path: str = ME,
        *,
        key: str | None = None,
        headers: Headers = (),
        body: bytes = b"",
        source: str = "127.0.0.1",
    ) -> Answer:
        credential = [("x-api-key", key)] if key is not None else []
        raw = wire.request(method, path, [*credential, *headers], body)
        return asyncio.run(wire.ask(self.port, raw, source=source))

    def sdk(self, key: str, path: str = "") -> anthropic.Anthropic:
        return anthropic.Anthropic(
            api_key=key, base_url=self.base_url + path, max_retries=0, _strict_response_validation=True
        )

    def signed_in(self, user: User) -> httpx.Client:
        """A browser's session, made with the sign-in form; its `csrf` is what the pages hold."""
        client = httpx.Client(base_url=self.base_url, headers={"Origin": self.base_url})
        form = {"login": user.email, "password": PASSWORD, "csrfmiddlewaretoken": csrf(client, "/login")}
        assert client.post("/login", data=form).status_code == 302
        return client


def csrf(client: httpx.Client, page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(page).text)
    assert found is not None
    return found[1]


def stranger() -> str:
    """An address of this machine that nobody has come from yet."""
    return f"127.8.0.{next(_strangers)}"


def admin_key(organization: Organization) -> tuple[ApiKey, str]:
    return api_keys.create(actor=SYSTEM, organization=organization, name="Admin", kind="admin")


def refused(answer: Answer, status: int, kind: str) -> str:
    """The message of a whole and right refusal."""
    assert answer.status == status, answer.body
    request_id = answer.header("request-id")
    assert request_id is not None and request_id.startswith("req_")
    assert answer.header("content-type") == "application/json"
    message = answer.json["error"]["message"]
    assert answer.json == {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    }
    return str(message)
