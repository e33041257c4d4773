"""Thirty thousand results: read by one that is quick and one that is slow, never in memory whole."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.data_plane import wire
from tests.data_plane.batch_rows import BatchRows
from tests.data_plane.house import VERSION, Gateway, House

RESULTS = 30_000
GROWTH = 30 << 20  # half of what they are
# Each 1.2 kB, with what would split a line for many readers.
MESSAGE = json.dumps({"text": "\u2028\u2029\x85" * 100 + "x" * 300}, ensure_ascii=False).encode()


@pytest.mark.slow
def test_thirty_thousand_results_come_line_by_line_at_constant_memory(house: House, guarded: Gateway) -> None:
    tenant = house.tenant()
    batch_id = BatchRows(house.database).ended_alike(tenant, MESSAGE, RESULTS)
    request = wire.request(
        "GET", f"/v1/messages/batches/{batch_id}/results", [VERSION, ("x-api-key", tenant.key)]
    )
    process = psutil.Process(guarded.pid)
    _ask(guarded, wire.request("GET", "/v1/models", [VERSION, ("x-api-key", tenant.key)])).close()
    before = peak = process.memory_info().rss
    slow = [_ask(guarded, request) for _ in range(8)]  # who read nothing at all
    began, received, lines, rest = time.monotonic(), 0, 0, b""

    with contextlib.closing(_ask(guarded, request)) as line:
        for piece in _body(line):
            received += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            lines += len(whole)
            assert all(one.startswith(b'{"custom_id":"item-') and one.endswith(b"}}}") for one in whole)
            peak = max(peak, process.memory_info().rss)
    took = time.monotonic() - began
    for one in slow:
        one.close()
    house.database.execute("DELETE FROM message_batch_item WHERE batch_id = %s", [batch_id])

    print(f"\n{lines:,} lines, {received >> 20} MB in {took:.1f} s, +{(peak - before) >> 20} MB")
    assert (lines, rest) == (RESULTS, b"")
    assert peak - before < GROWTH


def _ask(gateway: Gateway, request: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", gateway.port))
    line.sendall(request)
    return line


def _body(line: socket.socket) -> Iterator[bytes]:
    """What comes behind the head, for as long as that said."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(65_536)
    head, _, first = head.partition(b"\r\n\r\n")
    length = next(int(one[15:]) for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:"))
    yield first
    left = length - len(first)
    while left > 0:
        piece = line.recv(65_536)
        assert piece, f"{left} bytes are missing"
        left -= len(piece)
        yield piece
