"""Server-sent events as bytes: cutting a stream into whole frames, reading one frame, writing one.

Lines end in CR, LF or CRLF and nothing else (U+2028 inside a JSON string is content). A frame is handed on
as the bytes it came in, and only when it is whole: half a frame could not be taken back if the provider died.
"""

from __future__ import annotations

import re

# What ends a frame: two line ends in a row.
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LINE = re.compile(rb"\r\n|\n|\r")


class FrameTooLarge(Exception):
    """A provider sent more than `limit` bytes without ending a frame."""


class FrameSplitter:
    """Chunks in, whole frames out; the concatenation of all frames and the rest is the input, byte for byte."""

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._rest = bytearray()
        self._limit = limit
        self._cr = False

    @property
    def rest(self) -> bytes:
        """What has come of the frame that is not whole yet."""
        return bytes(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that `chunk` completes, each with the blank line that ends it."""
        rest = self._rest
        if not self._cr and b"\r" not in chunk:
            if not rest and chunk.endswith(b"\n\n"):  # the usual chunk: whole frames, nothing left over
                return [frame + b"\n\n" for frame in chunk[:-2].split(b"\n\n")]
            searched = max(0, len(rest) - 1)
            rest += chunk
            end = rest.rfind(b"\n\n", searched)
            if end < 0:
                return self._check([])
            whole = bytes(rest[:end])
            del rest[: end + 2]
            return self._check([frame + b"\n\n" for frame in whole.split(b"\n\n")])
        return self._feed_any_line_end(chunk)

    def _feed_any_line_end(self, chunk: bytes) -> list[bytes]:
        self._cr = True
        rest = self._rest
        searched = max(0, len(rest) - 3)
        rest += chunk
        frames, start = [], 0
        while match := _END.search(rest, max(start, searched)):
            if match[0] == b"\r\n\r" and match.end() == len(rest):
                break  # the LF of the second CRLF is still to come
            frames.append(bytes(rest[start : match.end()]))
            start = match.end()
        del rest[:start]
        return self._check(frames)

    def _check(self, frames: list[bytes]) -> list[bytes]:
        if len(self._rest) > self._limit:
            raise FrameTooLarge(f"a frame of more than {self._limit} bytes")
        return frames


def data_of(frame: bytes) -> bytes | None:
    """The frame's `data`, lines joined by LF; None for a frame of comments or blank lines only."""
    if b"\r" not in frame:
        head, separator, data = frame.partition(b"\ndata: ")
        if separator:
            data = data[:-2]
            if b"\n" not in data and b"\n" not in head and head.startswith(b"event: "):
                return data  # the usual frame: one event line, one data line
        elif frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2:
            return frame[6:-2]  # the usual frame of a stream without names: one data line
    lines = [
        line[5:].removeprefix(b" ")
        for line in _LINE.split(frame)
        if line.startswith(b"data:") or line == b"data"
    ]
    return b"\n".join(lines) if lines else None


def is_empty(frame: bytes) -> bool:
    """Whether a frame without data is harmless: comments, blank lines and fields that only set something."""
    return all(
        not line or line.startswith((b":", b"event:", b"id:", b"retry:")) for line in _LINE.split(frame)
    )


def frame(event: str, data: bytes) -> bytes:
    """One event; `data` is JSON, which never holds a raw line end."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)
