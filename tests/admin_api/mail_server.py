"""A mail server of few words: takes what it is given, or nothing at all, as the test wants."""

from __future__ import annotations

import asyncio
import email.message
import email.policy

from tests.event_loop_thread import EventLoopThread


class MailServer:
    """SMTP on a free port of this machine. `mails` are those it took; while `refusing` it takes none."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.refusing = False
        self._thread = EventLoopThread("mail")
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._thread.loop
        ).result()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        self._thread.loop.call_soon_threadsafe(self._server.close)
        self._thread.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append(_mail(await reader.readuntil(b"\r\n.\r\n")))
            elif verb == b"MAIL" and self.refusing:
                writer.write(b"451 not now\r\n")
                continue
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")
        writer.close()


def _mail(raw: bytes) -> email.message.EmailMessage:
    found = email.message_from_bytes(raw.removesuffix(b".\r\n"), policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found
