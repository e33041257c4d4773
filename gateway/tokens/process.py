"""The counting process: reads request frames on stdin, writes answer frames on stdout, ends at end of file.

It holds the o200k vocabulary (70 MB) so that web processes need not, and may take a second over a 30 MB body
without holding up anyone's stream. It gets no secrets: only bodies, of which it keeps and logs nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO

import msgspec
from rs_bpe.bpe import openai

from gateway.tokens.counts import ANSWER, REQUEST, UNCOUNTABLE, Counts
from gateway.tokens.text import countable

_NICENESS = 5  # on a busy machine the relay goes first


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches a whole group; we end with stdin
    os.nice(_NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    vocabulary = openai.o200k_base()
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        number, length = REQUEST.unpack(header)
        answers.write(ANSWER.pack(number, *_counts(requests.read(length), vocabulary)))
        answers.flush()


def _counts(body: bytes, vocabulary: openai.Tokenizer) -> Counts:
    try:
        content = countable(body)
    except (msgspec.DecodeError, RecursionError):  # a cut frame, or nesting that the door should have refused
        return Counts(UNCOUNTABLE, 0, 0, 0)
    text_tokens = sum(vocabulary.count(text) for text in content.texts)
    return Counts(text_tokens, content.media_tokens, content.messages, content.tools)


if __name__ == "__main__":
    main()
