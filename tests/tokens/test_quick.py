from __future__ import annotations

import base64
import json
import os
import time

import pytest
from rs_bpe.bpe import openai

from gateway.tokens.quick import quick_estimate

from .corpora import CHINESE, CODE, ENGLISH

NOISE = base64.b64encode(os.urandom(300_000)).decode()


def _body(*blocks: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": blocks}]}, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", [ENGLISH, CODE, CHINESE], ids=["english", "code", "chinese"])
def test_text_is_guessed_within_a_third_of_its_tokens(text: str) -> None:
    body = _body({"type": "text", "text": text * 5})
    assert quick_estimate(body) == pytest.approx(openai.o200k_base().count(text * 5), rel=0.34)


@pytest.mark.parametrize(
    "image",
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": NOISE}},
        {"source": {"data": NOISE, "media_type": "image/png", "type": "base64"}, "type": "image"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + NOISE}},
    ],
    ids=["anthropic", "other-key-order", "openai"],
)
def test_an_image_costs_at_most_1600_tokens_however_many_bytes_it_has(image: object) -> None:
    assert 3_200 <= quick_estimate(_body(image, image)) <= 3_300


def test_a_pdf_costs_by_its_length() -> None:
    data = base64.b64encode(b"%PDF-1.7" + os.urandom(500_000)).decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    assert 23_000 <= quick_estimate(_body({"type": "document", "source": source})) <= 23_100


@pytest.mark.parametrize("text", [NOISE, json.dumps({"data": NOISE}), "data:image/png;base64 " + NOISE])
def test_base64_inside_text_is_text(text: str) -> None:
    body = _body({"type": "text", "text": text})
    assert quick_estimate(body) == len(body) // 4


def test_an_unfinished_payload_ends_with_the_body() -> None:
    assert quick_estimate(b'{"data":"' + NOISE.encode()) == 2 + 1_600


def test_an_empty_body_is_one_token() -> None:
    assert quick_estimate(b"") == 1


@pytest.mark.parametrize(
    ("body", "milliseconds"),
    [
        (_body({"type": "text", "text": "x y " * 480}), 0.002),
        (_body({"type": "text", "text": ENGLISH * 500}), 5),
        (b'{"data":"x"},' * 400_000, 5),
        (b'"' * 5_000_000, 5),
        (b"A" * 5_000_000, 5),
        (b'"data":"' + b"A" * 5_000_000, 5),
        ((b"A" * 5_000 + b'"') * 1_000, 5),
    ],
    ids=["2KB", "text", "data-keys", "quotes", "letters", "payload", "strings"],
)
def test_a_guess_costs_next_to_nothing_whatever_the_body(body: bytes, milliseconds: float) -> None:
    def cost() -> float:
        begin = time.thread_time()
        for _ in range(20):
            quick_estimate(body)
        return (time.thread_time() - begin) / 20 * 1000

    assert min(cost() for _ in range(5)) < milliseconds
