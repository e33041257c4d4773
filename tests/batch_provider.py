"""A provider that takes message batches itself, on the sockets of a scripted `Upstream`.

    provider = BatchProvider(upstream)
    ...                                       # create a batch whose `anthropic-beta` header is `provider.name`
    provider.finish()                         # from now on its batches have ended

Each batch gets a result for every request, made by `result_of`; `lines_of` may change all of them. What is put into
`creates` is answered to the next calls that create a batch; those in `deaf` are taken in, and never answered.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.ids import new_id
from tests.upstream import (
    LAST_CHUNK,
    Close,
    Received,
    Script,
    Send,
    Upstream,
    chunk,
    error,
    head,
    message,
    reply,
)

PATH = "/v1/messages/batches"
JSONL = "application/x-jsonl"
_BELOW = re.compile(rf"{PATH}/(?P<id>[^/]+)(?P<what>/cancel|/results|)")

Result = dict[str, Any]
Lines = list[bytes]


@dataclass
class TheirBatch:
    id: str
    requests: list[dict[str, Any]]
    created_at: datetime.datetime
    status: str = "in_progress"
    canceled: bool = False


def succeeded(request: dict[str, Any]) -> Result:
    """An answer that says which request it is one to."""
    text = f"answer to {request['params']['messages'][0]['content']}"
    return {"type": "succeeded", "message": message(text)}


@dataclass
class BatchProvider:
    upstream: Upstream
    address: str = ""  # a path in front of the provider's own
    batches: dict[str, TheirBatch] = field(default_factory=dict)
    creates: list[Script] = field(default_factory=list)
    gets: list[Script] = field(default_factory=list)  # to calls that look at one batch
    results: list[Script] = field(default_factory=list)
    keys: set[str] | None = None  # those that know its batches; all where None
    deaf: int = 0
    ended: bool = False
    result_of: Callable[[dict[str, Any]], Result] = succeeded
    lines_of: Callable[[Lines], Lines] = list

    def __post_init__(self) -> None:
        self.name = self.upstream.answered_by(self._answer)

    def finish(self) -> None:
        self.ended = True

    def received(self, method: str, ending: str = "") -> list[Received]:
        """The calls so far, by what their path ends with below that of batches."""
        return [
            request
            for request in self.upstream.received(self.name)
            if request.method == method and request.target.partition("?")[0].endswith(f"{PATH}{ending}")
        ]

    def sent(self) -> list[Received]:
        return self.received("POST")

    def cancels(self) -> int:
        return len([one for one in self.upstream.received(self.name) if one.target.endswith("/cancel")])

    def add(self, requests: list[dict[str, Any]], age: float = 0.0) -> TheirBatch:
        """A batch, `age` seconds old."""
        now = datetime.datetime.now(datetime.UTC)
        batch = TheirBatch(new_id("msgbatch"), requests, now - datetime.timedelta(seconds=age))
        self.batches[batch.id] = batch
        return batch

    def _answer(self, request: Received) -> Script | None:
        path = request.target.partition("?")[0].removeprefix(self.address)
        if path == PATH:
            return self._create(request) if request.method == "POST" else self._list(request)
        found = _BELOW.fullmatch(path)
        if found is None:
            return None  # a message of its own
        batch = self.batches.get(found["id"])
        if batch is None or (self.keys is not None and request.header("x-api-key") not in self.keys):
            return reply(404, error("not_found_error", "No such batch."))
        if found["what"] == "/results":
            return self._results(batch)
        if found["what"] == "/cancel":
            batch.canceled = True
        elif self.gets:
            return self.gets.pop(0)
        return reply(200, self._told(batch))

    def _create(self, request: Received) -> Script:
        if self.creates:
            return self.creates.pop(0)
        batch = self.add(json.loads(request.body)["requests"])
        if self.deaf:
            self.deaf -= 1
            return [Close()]
        return reply(200, self._told(batch))

    def _list(self, request: Received) -> Script:
        newest_first = [self._told(batch) for batch in reversed(self.batches.values())]
        return reply(200, {"data": newest_first, "has_more": False})

    def _told(self, batch: TheirBatch) -> dict[str, Any]:
        ended = self.ended or batch.canceled
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if ended else "processing"] = len(batch.requests)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": batch.created_at.isoformat(),
            "results_url": "http://127.0.0.1:9/stolen" if ended else None,
        }

    def _results(self, batch: TheirBatch) -> Script:
        if self.results:
            return self.results.pop(0)
        told = [
            {"custom_id": one["custom_id"], "result": self.result_of(one)} for one in reversed(batch.requests)
        ]
        return streamed_lines(self.lines_of([json.dumps(one).encode() for one in told]))


def streamed_lines(lines: Lines, whole: bool = True) -> Script:
    """Chunks that end in the middle of lines; a download that is not `whole` breaks off."""
    raw = b"".join(line + b"\n" for line in lines)
    pieces = [raw[at : at + 50_000] for at in range(0, len(raw), 50_000)]
    begin = Send(head(200, ("transfer-encoding", "chunked"), content_type=JSONL))
    return [begin, *[Send(chunk(piece)) for piece in pieces], Send(LAST_CHUNK) if whole else Close()]
