"""Lines of a batch's results, as they are stored and downloaded: one item each, without the line feed.

Whoever splits them by anything that is a line's end in Unicode gets whole lines too.
"""

from __future__ import annotations

import re

from gateway.errors import GatewayError, envelope

# In JSON's strings these may stand as they are; some readers take them for the end of a line.
_ESCAPED = {"\u2028".encode(): b"\\u2028", "\u2029".encode(): b"\\u2029", "\x85".encode(): b"\\u0085"}
_UNSAFE = re.compile(b"|".join(_ESCAPED))
_SPACES = bytes.maketrans(b"\r\n", b"  ")  # between JSON's values; in strings they are escaped


def succeeded(custom_id: str, message: bytes) -> bytes:
    return line_of(custom_id, b'{"type":"succeeded","message":' + message + b"}")


def errored(custom_id: str, error: GatewayError, request_id: str) -> bytes:
    return line_of(custom_id, b'{"type":"errored","error":' + envelope(error, request_id) + b"}")


def canceled(custom_id: str) -> bytes:
    return line_of(custom_id, b'{"type":"canceled"}')


def expired(custom_id: str) -> bytes:
    return line_of(custom_id, b'{"type":"expired"}')


def line_of(custom_id: str, result: bytes) -> bytes:
    """`result` is a JSON object; a custom id holds nothing that JSON would escape."""
    return b'{"custom_id":"' + custom_id.encode() + b'","result":' + safe(result) + b"}"


def safe(json: bytes) -> bytes:
    """The same JSON on one line, whoever looks at it."""
    flat = json.translate(_SPACES)
    return flat if flat.isascii() else _UNSAFE.sub(lambda found: _ESCAPED[found[0]], flat)
