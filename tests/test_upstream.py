"""The scripted provider and the fault proxy do what they are told: every test of faults stands on them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from tests import upstream as provider
from tests.faults import FaultProxy
from tests.upstream import Close, HalfClose, Hang, Pause, Reset, Send, Upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def test_a_request_is_recorded_byte_for_byte(upstream: Upstream) -> None:
    name = upstream.script(
        provider.reply(529, provider.error("overloaded_error", "Busy"), ("retry-after", "3"))
    )

    answer = talk(
        upstream.port, f"POST /v1/messages?beta=true HTTP/1.1\r\nX-Odd: a\r\nContent-Length: 9\r\n\r\n{name}"
    )
    (received,) = upstream.received(name, 1)

    assert answer.startswith(b"HTTP/1.1 529 ") and b"retry-after: 3\r\n" in answer
    assert (received.method, received.target) == ("POST", "/v1/messages?beta=true")
    assert (received.header("x-odd"), received.body) == ("a", name.encode())


def test_a_stream_is_chunked_with_pauses_and_its_connection_is_used_again(upstream: Upstream) -> None:
    name = upstream.script(provider.streamed(provider.frames(), delay=0.005))
    client = http.client.HTTPConnection("127.0.0.1", upstream.port)

    bodies = []
    for _ in range(2):
        client.request("POST", "/v1/messages", body=name)
        bodies.append(client.getresponse().read())
    client.close()

    assert bodies == [b"".join(provider.frames())] * 2
    assert len({request.connection for request in upstream.received(name)}) == 1


@pytest.mark.parametrize(
    ("step", "ending"), [(Close(), b""), (HalfClose(), b""), (Reset(), ConnectionResetError)]
)
def test_a_cut_answer_ends_as_told(upstream: Upstream, step: provider.Step, ending: object) -> None:
    name = upstream.script(Pause(0.01), Send(b"HTTP/1.1 200 OK\r\n"), Pause(0.05), step)

    with socket.create_connection(("127.0.0.1", upstream.port), 3) as client:
        client.sendall(f"POST / HTTP/1.1\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode())
        assert client.recv(100) == b"HTTP/1.1 200 OK\r\n"
        if isinstance(ending, bytes):
            assert client.recv(100) == ending
        else:
            with pytest.raises(ConnectionResetError):
                client.recv(100)


def test_the_moment_when_the_other_side_leaves_is_noted(upstream: Upstream) -> None:
    name = upstream.script(Hang())

    with socket.create_connection(("127.0.0.1", upstream.port), 3) as client:
        client.sendall(f"POST / HTTP/1.1\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode())
        (received,) = upstream.received(name, 1)
        assert received.closed_at is None
        left = time.monotonic()

    assert received.closed.wait(2)
    assert received.closed_at is not None and 0 <= received.closed_at - left < 0.5


def test_the_proxy_forwards_slows_cuts_silences_and_refuses(upstream: Upstream) -> None:
    question = b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    with FaultProxy(f"127.0.0.1:{upstream.port}") as proxy:
        healthy, quick = timed(proxy.port, question)
        proxy.behave(latency=0.1)
        late, slow = timed(proxy.port, question)
        proxy.behave(cut_after=20)
        cut, _ = timed(proxy.port, question)
        proxy.behave(silent=True)
        silent, _ = timed(proxy.port, question)
        proxy.behave(refuse=True)
        with pytest.raises(ConnectionRefusedError):
            timed(proxy.port, question)
        proxy.behave()
        again, _ = timed(proxy.port, question)

    assert healthy.startswith(b"HTTP/1.1 200 Scripted") and healthy == late == again
    assert quick < 0.1 < slow
    assert (cut, silent) == (healthy[:20], b"")


def test_the_proxy_flips_single_bits_towards_the_client_only(upstream: Upstream) -> None:
    name = upstream.script(provider.reply(200, b"x" * 50_000))
    question = f"POST / HTTP/1.1\r\nContent-Length: {len(name)}\r\n\r\n{name}"
    with FaultProxy(f"127.0.0.1:{upstream.port}") as proxy:
        whole = talk(proxy.port, question)
        proxy.behave(corrupt=1000)
        broken = talk(proxy.port, question)

    flipped = [ours ^ theirs for ours, theirs in zip(whole, broken, strict=True) if ours != theirs]
    assert {bits.bit_count() for bits in flipped} == {1}
    assert 20 < len(flipped) < 100
    assert [request.body for request in upstream.received(name)] == [name.encode()] * 2


def test_the_proxy_swallows_what_a_black_hole_is_sent(upstream: Upstream) -> None:
    name = upstream.script(provider.reply(200, {}))
    question = f"POST / HTTP/1.1\r\nContent-Length: {len(name)}\r\n\r\n{name}"
    with FaultProxy(f"127.0.0.1:{upstream.port}") as proxy:
        proxy.behave(black_hole=True)
        nothing = talk(proxy.port, question)
        with socket.create_connection(("127.0.0.1", proxy.port), 3) as client:
            client.settimeout(3)
            client.sendall(b"x" * (64 << 20))  # more than any buffer on the way: it is read
        proxy.behave()
        healthy = talk(proxy.port, question)

    assert nothing == b"" and healthy.startswith(b"HTTP/1.1 200")
    assert len(upstream.received(name)) == 1, "the black hole forwarded a request"


def talk(port: int, request: str) -> bytes:
    return timed(port, request.encode())[0]


def timed(port: int, request: bytes) -> tuple[bytes, float]:
    """Everything that comes within 0.3 s of silence, and the seconds until its first byte."""
    with socket.create_connection(("127.0.0.1", port), 0.3) as client:
        client.sendall(request)
        began, answer, first = time.monotonic(), b"", 0.0
        with contextlib.suppress(TimeoutError):
            while data := client.recv(65_536):
                first = first or time.monotonic() - began
                answer += data
                if answer.endswith(b"}"):
                    break
        return answer, first
