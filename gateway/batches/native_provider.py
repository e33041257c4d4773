"""A provider's own batches: sent, listed, looked at, cancelled and brought home over HTTP.

What comes of a call is the answer, `Refused` or `UpstreamFailure`. Everything is asked below the provider's own
address: the address of results that it tells is not, since the operator's key goes along.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from gateway.directory.catalog import Target
from gateway.engine.dialects import anthropic_headers
from gateway.engine.retry_after import retry_after
from gateway.protocol.anthropic import errors as wire_errors
from gateway.upstreams.client import Kind, Reply, UpstreamClient, UpstreamFailure
from gateway.upstreams.transport import Destination

ANSWER_SECONDS = 60.0
UPLOAD_SECONDS = 1_800.0
LARGEST_ANSWER = 4 << 20
LARGEST_ERROR = 1 << 20
LISTED_AT_ONCE = 100

_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Headers that are said differently for some calls.
_ACCEPT_LINES = ("accept", "application/binary")  # what official clients ask for

Relayed = tuple[tuple[bytes, bytes], ...]
T = TypeVar("T")


class Refused(Exception):
    """An answer other than 200: its `status`, the type of its error if it is in Anthropic's words, and in how many
    seconds to ask again, if it says so."""

    def __init__(self, status: int, error_type: str, message: str, seconds: float | None) -> None:
        super().__init__(f"{status} {error_type}: {message[:300]}")
        self.status = status
        self.error_type = error_type
        self.seconds = seconds


class Counts(msgspec.Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        return self.processing + self.done

    @property
    def done(self) -> int:
        return self.succeeded + self.errored + self.canceled + self.expired


class TheirBatch(msgspec.Struct):
    """A batch as the provider tells of it."""

    id: str
    processing_status: str = ""
    created_at: datetime.datetime | None = None
    request_counts: Counts = msgspec.field(default_factory=Counts)

    @property
    def began(self) -> datetime.datetime:
        """Without a zone it is UTC; just now, where nothing is said."""
        at = self.created_at or datetime.datetime.now(datetime.UTC)
        return at if at.tzinfo else at.replace(tzinfo=datetime.UTC)


class TheirBatches(msgspec.Struct):
    """A page of them, the newest first."""

    data: list[TheirBatch]
    has_more: bool = False


_batch = msgspec.json.Decoder(TheirBatch)
_batches = msgspec.json.Decoder(TheirBatches)


class NativeProvider:
    """One provider with one of its keys, as one tenant's batch speaks with it: `relayed` are the tenant's headers."""

    def __init__(self, client: UpstreamClient, target: Target, relayed: Relayed) -> None:
        self._client = client
        self._target = target
        self._headers = anthropic_headers(target, relayed)

    async def create(self, body: AsyncIterator[bytes], length: int, *, query: str, key: str) -> str:
        """The id of the new batch. Providers that know idempotency keys take the same `key` once."""
        told = [("content-length", str(length)), ("idempotency-key", key)]
        destination = self._destination(f"?{query}" if query else "", told)
        reply = await self._client.upload(destination, body, first_byte=UPLOAD_SECONDS)
        return (await self._answer(reply, _batch)).id

    async def retrieve(self, upstream_id: str) -> TheirBatch:
        reply = await self._client.get(self._destination(f"/{upstream_id}"), first_byte=ANSWER_SECONDS)
        return await self._answer(reply, _batch)

    async def cancel(self, upstream_id: str) -> None:
        destination = self._destination(f"/{upstream_id}/cancel")
        await self._answer(await self._client.post(destination, b"", first_byte=ANSWER_SECONDS), _batch)

    async def listed(self, after: str = "") -> TheirBatches:
        """The newest batches of this key's account, or those that come `after` one."""
        below = f"?limit={LISTED_AT_ONCE}" + (f"&after_id={after}" if after else "")
        reply = await self._client.get(self._destination(below), first_byte=ANSWER_SECONDS)
        return await self._answer(reply, _batches)

    async def results(self, upstream_id: str) -> AsyncIterator[bytes]:
        """The lines of a batch that has ended, in pieces as they come."""
        destination = self._destination(f"/{upstream_id}/results", [_ACCEPT_LINES])
        reply = await self._client.get(destination, first_byte=ANSWER_SECONDS)
        try:
            await self._check(reply)
            while piece := await reply.read(self._target.timeouts.idle):
                yield piece
        finally:
            await reply.aclose()

    def _destination(self, below: str, told: list[tuple[str, str]] | None = None) -> Destination:
        """`told` headers replace ours of the same name."""
        said = dict(told or ())
        headers = [one for one in self._headers if one[0] not in said] + [*said.items()]
        url = f"{self._target.base_url}/v1/messages/batches{below}"
        return Destination(url, headers, connect=self._target.timeouts.connect)

    async def _answer(self, reply: Reply, decoder: msgspec.json.Decoder[T]) -> T:
        try:
            await self._check(reply)
            answer = decoder.decode(await reply.read_all(LARGEST_ANSWER, ANSWER_SECONDS))
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as problem:
            raise UpstreamFailure(Kind.BROKEN, f"an answer that cannot be read: {problem}") from None
        finally:
            await reply.aclose()
        for one in answer.data if isinstance(answer, TheirBatches) else [answer]:
            if isinstance(one, TheirBatch) and not _ID.fullmatch(one.id):
                raise UpstreamFailure(Kind.BROKEN, f"the id {one.id[:40]!r}")
        return answer

    async def _check(self, reply: Reply) -> None:
        for name, value in reply.headers:
            if name.lower() == b"content-encoding" and value.lower() not in (b"", b"identity"):
                raise UpstreamFailure(Kind.BROKEN, f"content encoding {value[:20]!r}")
        if reply.status != 200:
            detail = wire_errors.read(await reply.read_all(LARGEST_ERROR, ANSWER_SECONDS))
            said = (detail.type, detail.message) if detail else ("", "")
            raise Refused(reply.status, *said, retry_after(reply.headers))
