"""The real web process with a fault in its translator: `python -m tests.data_plane.faulty_translator`.

A provider's words "break here" raise an exception that nobody expects, in a stream as in a whole answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway import server
from gateway.engine.passages.translated import Translated
from gateway.protocol.openai.stream import OpenAIStream


def broken_at(owner: type, name: str) -> None:
    healthy: Callable[..., Any] = getattr(owner, name)

    def faulty(self: Any, told: bytes) -> Any:
        if b"break here" in told:
            raise LookupError("a fault of the gateway's own")
        return healthy(self, told)

    setattr(owner, name, faulty)


if __name__ == "__main__":
    broken_at(OpenAIStream, "feed")
    broken_at(Translated, "whole")
    server.main()
