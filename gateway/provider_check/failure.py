"""Why a call brought no whole answer, in words for an operator: the provider's own wherever it said any.

The provider's key never stands in them, nor anything that a terminal would take for a command.
"""

from __future__ import annotations

import errno

import aiohttp
import msgspec

from gateway.directory.catalog import Target
from gateway.engine.attempt import AttemptFailed
from gateway.protocol.anthropic.relay import StreamedError
from gateway.protocol.openai.errors import read
from gateway.provider_check.listening import HeardDialects, HeardPassage
from gateway.upstreams.client import Kind, UpstreamFailure

LONGEST = 300  # characters
TELLING = 12  # characters of a key that already tell it

_KINDS = {Kind.CONNECT: "no connection", Kind.TIMEOUT: "timeout", Kind.BROKEN: "broken off"}


class Failure(msgspec.Struct, frozen=True):
    """`status` is the provider's, if it answered; `kind` is its error type, or a word of ours."""

    status: int | None
    kind: str
    message: str


def of_attempt(failed: AttemptFailed, target: Target, wire: HeardDialects, passage: HeardPassage) -> Failure:
    """An attempt that ended before there was anything to show."""
    if isinstance(failed.__cause__, UpstreamFailure):
        return of_connection(failed.__cause__, target, wire.status)
    told = read(passage.heard)
    if told is not None and told.message:
        names = [name for name in (told.code, told.type) if isinstance(name, str) and not name.isdecimal()]
        return Failure(
            wire.status, shown(names[0] if names else failed.error.type, target), _text(told.message, target)
        )
    message = failed.error.message
    if wire.status == 200 and wire.content_type and not passage.heard.startswith(b"{"):
        message = f"{message} Its content type is {wire.content_type}."
    return Failure(wire.status, failed.error.type, shown(message, target))


def of_connection(failure: UpstreamFailure, target: Target, status: int | None = None) -> Failure:
    """No connection, a time-out, or an answer that broke off."""
    problem = failure.__cause__
    if isinstance(problem, aiohttp.ClientConnectorError) and problem.os_error.errno == errno.ECONNREFUSED:
        return Failure(None, "connection refused", f"{problem.host}:{problem.port}")
    if isinstance(problem, aiohttp.ConnectionTimeoutError):
        return Failure(
            None, _KINDS[Kind.TIMEOUT], f"no connection within {target.timeouts.connect:g} seconds"
        )
    if failure.kind is Kind.CONNECT:
        return Failure(None, _KINDS[failure.kind], shown(str(problem), target))
    detail = str(failure).removeprefix(failure.kind.value).removeprefix(": ")
    if not detail or detail == type(problem).__name__:  # which is for programmers
        detail = failure.kind.value
    return Failure(status, _KINDS[failure.kind], shown(detail, target))


def of_event(error: StreamedError | None, target: Target, status: int | None) -> Failure:
    """An `error` event in the middle of a stream."""
    error = error or StreamedError()
    return Failure(status, shown(error.type, target), shown(error.message, target))


def shown(text: str, target: Target) -> str:
    """Provider's text on one line, not too long, without control characters and without the key."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join("[key]" if _tells(word, target.api_key) else word for word in printable.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _tells(word: str, key: str) -> bool:
    """Whether the key, or a good part of it, stands in a word."""
    if key and key in word:
        return True
    return any(word[at : at + TELLING] in key for at in range(len(word) - TELLING + 1))


def _text(message: object, target: Target) -> str:
    text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
    return shown(text, target)
