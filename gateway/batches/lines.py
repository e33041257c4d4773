"""Lines of results."""

from __future__ import annotations

import re

from gateway.errors import GatewayError, envelope

_UNSAFE = re.compile("[\u2028\u2029\u0085]".encode("utf-8"))


def succeeded(custom_id: str, message: bytes) -> bytes:
    return line_of(custom_id, b'{"type":"succeeded","message":' + message + b"}")


def errored(custom_id: str, error: GatewayError, request_id: str) -> bytes:
    return line_of(custom_id, b'{"type":"errored","error":' + envelope(error, request_id) + b"}")


def canceled(custom_id: str) -> bytes:
    return line_of(custom_id, b'{"type":"canceled"}')


def expired(custom_id: str) -> bytes:
    return line_of(custom_id, b'{"type":"expired"}')


def line_of(custom_id: str, result: bytes) -> bytes:
    return b'{"custom_id":"' + custom_id.encode() + b'","result":' + result + b"}"
