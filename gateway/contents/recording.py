"""One request while it is served, with what is kept of it."""

from __future__ import annotations

import dataclasses
import datetime
import uuid

MOST_RESPONSE = 4 * 1024 * 1024  # bytes; what comes after them is left out


@dataclasses.dataclass
class Recording:
    """What the client sent, and what it is answered: `add` each piece. Kept for `days` after `at`.

    `headers` are those of the request, `answered` those of its answer, whole: secrets stay behind when they are stored.
    """

    request_id: str
    organization_id: uuid.UUID
    workspace_id: str
    api_key_id: str
    endpoint: str
    streamed: bool
    headers: list[tuple[bytes, bytes]]
    request: bytes
    days: int
    at: datetime.datetime = dataclasses.field(default_factory=lambda: datetime.datetime.now(datetime.UTC))
    status: int = 0
    cut: bool = False
    answered: list[tuple[bytes, bytes]] = dataclasses.field(default_factory=list)
    pieces: list[bytes] = dataclasses.field(default_factory=list)
    length: int = 0

    def add(self, piece: bytes) -> None:
        room = MOST_RESPONSE - self.length
        if len(piece) > room:
            piece, self.cut = piece[:room], True
        if piece:
            self.pieces.append(piece)
            self.length += len(piece)

    @property
    def response(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def expires_at(self) -> datetime.datetime:
        return self.at + datetime.timedelta(days=self.days)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.request) + self.length
