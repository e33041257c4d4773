"""uvicorn's HTTP connection, with an end for clients that take nothing, and none for those that come late.

uvicorn makes a sender wait while a client does not read, for as long as that takes: the provider's connection, a
place under a concurrency limit and the client's own connection would be held by whoever wants to hold them. Cut
here, where what waits to be sent can be seen, the request ends as with any client that left: it is settled, and the
provider is cut off or heard out as its policy says.

When the process stops, uvicorn closes at once what has no request under way. A connection that was taken a moment
before has its request still on the way and would see a closed door; and a kept one may be closed just as its client
asks again. So answers say `connection: close` from the beginning of the end on, and the fresh get a moment.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = structlog.get_logger(__name__)

# Longer than a laptop's change of networks, shorter than providers and balancers wait (60 s and more).
STALL_SECONDS = 30.0
LOOKS = 6  # within that time

# For the first request of a connection that was taken just before the end.
FRESH_SECONDS = 0.5


class HttpConnection(HttpToolsProtocol):
    """One timer runs while more than uvicorn's 64 KB wait for the client, and none otherwise."""

    ending = False  # for all connections of the process
    _look: asyncio.TimerHandle | None = None
    _waiting = 0  # unread bytes when they last became fewer
    _since = 0.0

    @classmethod
    def end(cls) -> None:
        """The process is about to stop: no connection outlives its next answer."""
        cls.ending = True

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        if self.cycle is None:
            self.loop.call_later(FRESH_SECONDS, self._close_unless_asked)
        else:
            super().shutdown()

    def _close_unless_asked(self) -> None:
        if self.cycle is None:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note_progress()
        self._look_later()

    def resume_writing(self) -> None:
        self._stop_looking()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """An answer that nobody took by now would hold a connection that is merely closed for ever."""
        if not self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _unread(self) -> int:
        """Bytes here and in the kernel, which takes a megabyte at a time and would make a slow reader look stuck."""
        connection = self.transport.get_extra_info("socket")
        kept = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + int(struct.unpack("i", kept)[0])

    def _note_progress(self) -> None:
        self._waiting, self._since = self._unread(), self.loop.time()

    def _look_later(self) -> None:
        self._look = self.loop.call_later(STALL_SECONDS / LOOKS, self._check)

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _check(self) -> None:
        if self._unread() < self._waiting:
            self._note_progress()
        elif self.loop.time() - self._since >= STALL_SECONDS:
            log.info("client_takes_nothing", bytes=self._waiting, seconds=STALL_SECONDS)
            self.transport.abort()
            return
        self._look_later()
