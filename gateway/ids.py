"""Identifiers: prefixed random ids for rows, and attempt ids that carry their own time."""

from __future__ import annotations

import datetime
import hashlib
import os
import secrets
import string
import time
import uuid

_ALPHABET = string.digits + string.ascii_letters


def new_id(prefix: str) -> str:
    """`<prefix>_01` and 22 random characters (131 bits), the look of Anthropic's own ids."""
    return f"{prefix}_01" + "".join(secrets.choice(_ALPHABET) for _ in range(22))


def derived_id(prefix: str, *parts: str) -> str:
    """An id that looks like `new_id`'s and is always the same for these parts: of what has no row of its own."""
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest(), "big")
    digits = ""
    for _ in range(22):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return f"{prefix}_01{digits}"


def new_request_id() -> str:
    """An id for one HTTP request: fast, since every request makes one."""
    return "req_01" + os.urandom(11).hex()


def new_message_id() -> str:
    """An id for a message that a provider of another dialect gave none that fits."""
    return "msg_01" + os.urandom(11).hex()


def new_completion_id() -> str:
    """An id for a chat completion that is told from an answer of another dialect."""
    return "chatcmpl-01" + os.urandom(11).hex()


def new_attempt_id() -> uuid.UUID:
    """A version 7 UUID (RFC 9562): its first 48 bits are the Unix time in milliseconds."""
    return _version_7((time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big"))


def derived_attempt_id(at: datetime.datetime, *parts: str) -> uuid.UUID:
    """An attempt id that is always the same for these parts and this time."""
    value = (round(at.timestamp() * 1000) << 80) | int.from_bytes(
        hashlib.sha256("\0".join(parts).encode()).digest()[:10], "big"
    )
    return _version_7(value)


def _version_7(value: int) -> uuid.UUID:
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0x3 << 62)) | (2 << 62)
    return uuid.UUID(int=value)


def attempt_time(attempt_id: uuid.UUID) -> datetime.datetime:
    """When the attempt began, in UTC; its date is the ledger partition the attempt belongs to."""
    return datetime.datetime.fromtimestamp((attempt_id.int >> 80) / 1000, datetime.UTC)
