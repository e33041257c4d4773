"""What operators hold, and how tests read what they are told."""

from __future__ import annotations

from typing import Any

import httpx

from admin_api.actions import operator_keys
from admin_api.actor import SYSTEM
from gateway.models import OperatorKey
from tests.admin_api.door import Door

PLATFORM = "/platform/v1"


def operator_key(name: str = "Olga's") -> tuple[OperatorKey, str]:
    return operator_keys.create(actor=SYSTEM, name=name)


def operator_at(door: Door) -> httpx.Client:
    headers = {"x-api-key": operator_key()[1]}
    return httpx.Client(base_url=door.base_url + PLATFORM, headers=headers, timeout=20)


def told(answer: httpx.Response) -> Any:
    """The body of a success."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"].startswith("req_")
    return answer.json()


def refusal(answer: httpx.Response, status: int = 400, kind: str = "invalid_request_error") -> str:
    """The message of a refusal in its envelope."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert answer.json() == {"type": "error", "error": error, "request_id": answer.headers["request-id"]}
    assert error["type"] == kind
    return str(error["message"])


def walked(client: httpx.Client, path: str, field: str, **query: Any) -> list[list[Any]]:
    """The pages of a list to its end, `field` of each item."""
    pages = []
    while True:
        page = told(client.get(path, params=query))
        pages.append([item[field] for item in page["data"]])
        if not page["has_more"]:
            return pages
        query["after_id"] = page["last_id"]


def walked_back(client: httpx.Client, path: str, field: str, before: str, **query: Any) -> list[list[Any]]:
    """The pages before an item, the nearest first."""
    pages = []
    while True:
        page = told(client.get(path, params=query | {"before_id": before}))
        pages.append([item[field] for item in page["data"]])
        if not page["has_more"]:
            return pages
        before = page["first_id"]
