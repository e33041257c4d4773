"""Logs: one JSON object per line on stderr, from structlog and from the standard `logging` alike.

    {"event": "attempt_failed", "level": "warning", "time": "...Z", "logger": "gateway.engine", ...}

Never a key and never a prompt: fields that would hold content or credentials are left out by their name, long
values are cut, tracebacks come without local variables, and the finished line is searched once more for
anything that looks like a key and for this installation's own secrets.

A command that tells a person itself what happened keeps these lines away with `quiet`.

On the hot path pass `request_id=` to the log call; elsewhere `structlog.contextvars.bound_contextvars` may
bind it.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import json
import logging
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sized
from typing import BinaryIO, TextIO

import structlog
from structlog.processors import ExceptionRenderer, TimeStamper
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

# Names of fields, compared in lower case and with underscores.
_CREDENTIAL = re.compile(
    r"(.*_)?(api_?key|authorization|cookie|credential|pepper|password|secret|secret_key|token)"
)
_CONTENT = re.compile(
    r"(.*_)?(body|chunk|content|document|frame|messages|payload|prompt)"
    r"|completion|input|output|system|text|thinking"
)
_LONGEST_VALUE = 2_000  # characters of one string
_LONGEST_PROBLEM = 500  # characters of an exception's text, which may quote what it choked on
_DEEPEST = 12
_FRAMES = 30
_QUIET = (
    "httpx",
    "httpcore",
    "aiohttp",
    "uvicorn.access",
    "asyncio",
    "django.security.DisallowedHost",
)

# What looks like a secret, and a part that each such text has in lower case: searching for that is cheap.
_SECRETS = (
    ("sk-", r"sk-gw-(?:api|admin|operator)01-[A-Za-z0-9_-]+|sk-ant-[A-Za-z0-9_-]+|sk-[A-Za-z0-9_-]{20,}"),
    ("bearer", r"(?i:bearer)(?:\s+|%20|\+)[A-Za-z0-9._~+/=%-]{8,}"),
    ("basic", r"(?i:basic)(?:\s+|%20|\+)[A-Za-z0-9._~+/=%-]{8,}"),
    ("/reset/", r"(?<=/reset/)[^\s\"'?]+"),  # links that let people in; Django logs paths that it refuses
    ("/invites/", r"(?<=/invites/)[^\s\"'?]+"),
    ("://", r"(?<=://)[^\s\"'/@:]*:[^\s\"'/@]+(?=@)"),  # user:password@ of an address
)
_quiet = contextvars.ContextVar("quiet", default=False)
_SHORTEST = 8  # characters; a shorter secret would blot out words
_TELLING = 20  # characters of a secret that already tell it


def configure(*, level: str, secrets: Collection[str] = ()) -> None:
    """Set up both kinds of loggers for this process; `secrets` are values that no line may show."""
    line = _Line(secrets)
    origin: list[Processor] = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    contents: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        TimeStamper(fmt="iso", utc=True, key="time"),
        ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=_FRAMES)),
        _without_content,
    ]
    structlog.configure(
        processors=[_unless_quiet, *origin, *contents, line.as_bytes],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_named_logger,
        cache_logger_on_first_use=True,
    )
    without_record = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    _configure_standard_library(level, [*origin, without_record, *contents, line.as_text])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No lines from structlog, also none from tasks that are begun meanwhile."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def _unless_quiet(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if _quiet.get():
        raise structlog.DropEvent
    return event


class _Line:
    """Writes an event as JSON and blots out what looks like a secret."""

    def __init__(self, secrets: Collection[str]) -> None:
        own = [_json(secret)[1:-1][:_TELLING] for secret in secrets if len(secret) >= _SHORTEST]
        known = [(beginning.lower(), re.escape(beginning) + r"[^\s\"\\]*") for beginning in own]
        self._secrets = [(mark, re.compile(pattern)) for mark, pattern in (*known, *_SECRETS)]

    def as_text(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        return self.redacted(_json(event))

    def as_bytes(self, logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        return self.as_text(logger, method, event).encode()

    def redacted(self, line: str) -> str:
        lower = line.lower()
        for mark, pattern in self._secrets:
            if mark in lower:
                line = pattern.sub("[redacted]", line)
        return line


def _json(value: object) -> str:
    """ASCII only; the standard library's encoder since it alone takes huge integers and lone surrogates."""
    return json.dumps(value, default=str)


class _NamedLogger(structlog.BytesLogger):
    def __init__(self, name: str, file: BinaryIO) -> None:
        super().__init__(file)
        self.name = name


def _named_logger(*names: str) -> _NamedLogger:
    return _NamedLogger(names[0] if names else "gateway", _stderr())


def _stderr() -> BinaryIO:
    """The stream of the process itself; `sys.stderr` may be replaced for a while by others."""
    return (sys.__stderr__ or sys.stderr).buffer


def _configure_standard_library(level: str, processors: list[Processor]) -> None:
    handler = _Handler(sys.__stderr__)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=processors))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """Name the logger of a line that cannot be written; the default would print its arguments."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(
                json.dumps({"event": "log_line_lost", "level": "error", "logger": record.name}) + "\n"
            )


def _without_content(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: _allowed(name, value, 0) for name, value in event.items()}


def _allowed(name: str, value: object, depth: int) -> object:
    """A value as it may be shown under a field's name."""
    if value is None or isinstance(value, int | float):
        return value
    kind = _kind(name)
    if kind == "credential":
        return "[redacted]"
    if kind == "content":
        return f"[{len(value)} left out]" if isinstance(value, Sized) else "[left out]"
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, str):
        return _cut(
            value,
            _LONGEST_PROBLEM if kind == "problem" else _LONGEST_VALUE,
        )
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {str(key): _allowed(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_allowed(name, inner, depth + 1) for inner in value]
    return value


@functools.lru_cache(maxsize=1_000)
def _kind(name: str) -> str:
    """What a field of this name holds."""
    plain = name.lower().replace("-", "_")
    if _CREDENTIAL.fullmatch(plain):
        return "credential"
    if _CONTENT.fullmatch(plain):
        return "content"
    return "problem" if plain in ("exc_value", "error") else "plain"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... [{len(text)} characters]"
