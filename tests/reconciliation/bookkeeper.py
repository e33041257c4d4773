"""A little server with a provider's usage and cost report, as the Admin API of Anthropic answers."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN_KEY = "sk-ant-admin01-the-bookkeepers-own"
USAGE, COST = "/v1/organizations/usage_report/messages", "/v1/organizations/cost_report"
DAYS_OF_PAGE = 2

By = dict[datetime.date, list[dict[str, Any]]]


@dataclasses.dataclass
class Bookkeeper:
    """Answers in pages of two days; `broken` is a status and a body to answer with instead."""

    usage: By = dataclasses.field(default_factory=lambda: defaultdict(list))
    cost: By = dataclasses.field(default_factory=lambda: defaultdict(list))
    broken: tuple[int, bytes] | None = None
    asked: list[tuple[str, dict[str, list[str]]]] = dataclasses.field(default_factory=list)
    base_url: str = ""

    def used(self, day: datetime.date, model: str | None, searches: int = 0, **tokens: int) -> None:
        self.usage[day].append(
            {
                "uncached_input_tokens": tokens.get("input", 0),
                "cache_creation": {
                    "ephemeral_5m_input_tokens": tokens.get("cache_write_5m", 0),
                    "ephemeral_1h_input_tokens": tokens.get("cache_write_1h", 0),
                },
                "cache_read_input_tokens": tokens.get("cache_read", 0),
                "output_tokens": tokens.get("output", 0),
                "server_tool_use": {"web_search_requests": searches},
                "model": model,
                "workspace_id": None,
            }
        )

    def charged(
        self,
        day: datetime.date,
        cents: str,
        model: str | None,
        token_type: str | None,
        cost_type: str = "tokens",
        currency: str = "USD",
    ) -> None:
        self.cost[day].append(
            {
                "amount": cents,
                "currency": currency,
                "cost_type": cost_type,
                "token_type": token_type,
                "model": model,
                "description": "told in words",
            }
        )

    def answer(self, path: str, query: dict[str, list[str]], key: str | None) -> tuple[int, bytes]:
        self.asked.append((path, query))
        if self.broken is not None:
            return self.broken
        if key != ADMIN_KEY:
            return 401, json.dumps({"type": "error", "error": {"message": "invalid x-api-key"}}).encode()
        return 200, json.dumps(self._page(self.usage if path == USAGE else self.cost, query)).encode()

    def _page(self, by: By, query: dict[str, list[str]]) -> dict[str, Any]:
        first, last = (
            datetime.date.fromisoformat(query[name][0][:10]) for name in ("starting_at", "ending_at")
        )
        days = [first + datetime.timedelta(days=n) for n in range((last - first).days)]
        start = int(query.get("page", ["0"])[0])
        shown = days[start : start + DAYS_OF_PAGE]
        more = start + DAYS_OF_PAGE < len(days)
        return {
            "data": [{"starting_at": f"{day}T00:00:00Z", "results": by.get(day, [])} for day in shown],
            "has_more": more,
            "next_page": str(start + DAYS_OF_PAGE) if more else None,
        }


@contextlib.contextmanager
def at_work() -> Iterator[Bookkeeper]:
    bookkeeper = Bookkeeper()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            status, body = bookkeeper.answer(
                address.path, parse_qs(address.query), self.headers.get("x-api-key")
            )
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bookkeeper.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield bookkeeper
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
