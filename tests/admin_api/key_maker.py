"""An Admin key at work on API keys, and what the keys then can do."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.admin_api.door import Door

KEYS = "/v1/organizations/api_keys"
HELLO = {"max_tokens": 16, "messages": [{"role": "user", "content": "Hello"}]}


class Admin:
    """Acme's Admin key: as the SDK, and raw for what the SDK has no method for."""

    def __init__(self, door: Door, secret: str) -> None:
        self.sdk = door.sdk(secret).organization.api_keys
        self.http = httpx.Client(base_url=door.base_url, headers={"x-api-key": secret})
        self.door = door

    def create(self, **body: Any) -> dict[str, Any]:
        answer = self.http.post(KEYS, json={"name": "CI"} | body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def update(self, id: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{KEYS}/{id}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refused(self, path: str = "", **body: Any) -> tuple[int, str]:
        answer = self.http.post(KEYS + path, json=body)
        return answer.status_code, answer.json()["error"]["message"]

    def rotate(self, id: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"{KEYS}/{id}/rotate", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def call(self, secret: str, **how: str) -> int:
        """The status of a call of a model with this key; `how` as for `answer`."""
        return self.answer(secret, **how).status_code

    def answer(
        self, secret: str, source: str = "127.0.0.1", model: str = "claude-haiku-5-5", forwarded: str = ""
    ) -> httpx.Response:
        """A call of a model, from that address of this machine, and on behalf of `forwarded` if a proxy says so."""
        headers = {"x-api-key": secret} | ({"x-forwarded-for": forwarded} if forwarded else {})
        with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
            body = HELLO | {"model": model}
            return client.post(self.door.base_url + "/v1/messages", json=body, headers=headers)

    def soon(self, status: int, secret: str, **how: str) -> None:
        """Within the second that a change may take to reach the data plane."""
        deadline = time.monotonic() + 1
        while (found := self.call(secret, **how)) != status:
            assert time.monotonic() < deadline, f"still {found}, not {status}"
            time.sleep(0.02)
